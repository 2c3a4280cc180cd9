package app.privet.example.core

import app.privet.CoreException
import app.privet.Event
import java.nio.file.Path
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

class SyncTest {
    @TempDir
    lateinit var folder: Path
    private val desk by lazy { NotificationDesk(folder.resolve("shown").toFile()) }
    private val seen = ArrayList<NotificationDecision>()
    private val asked = ArrayList<String>()

    private inner class Relay(val events: ArrayDeque<Event>, val synced: Boolean = true, val fails: CoreException? = null) : FakeHome() {
        override suspend fun notificationShown(eventId: String) { asked += "shown $eventId" }
        override suspend fun waitSynced(waitMs: Int): Boolean {
            asked += "synced"
            fails?.let { throw it }
            return synced
        }
        override suspend fun nextEvent(waitMs: Int): Event? {
            asked += "event $waitMs"
            // Notifications come only after the log, as from a real relay.
            return if ("synced" in asked) events.removeFirstOrNull() else null
        }
    }

    private fun sync(relay: Relay) = runBlocking { sync(relay, desk, 8_000) { seen += it } }
    private fun events(vararg events: Event) = ArrayDeque(events.toList())

    @Test
    fun `says what was shown, asks for events, catches up, and takes what comes`() {
        desk.deliver(notification("a")) {}
        val relay = Relay(events(Event.CamerasChanged, Event.Notified(notification("b")), Event.Notified(notification("a"))))
        assertEquals(SyncResult.DONE, sync(relay))
        assertEquals(listOf("shown a", "event 0", "synced", "event 2000"), asked.take(4))
        assertEquals(listOf("b"), seen.map { (it as NotificationDecision.Show).card.id })
        assertEquals(listOf("b"), desk.untold())
    }

    @Test
    fun `too little time means again, and what came is not lost`() {
        assertEquals(SyncResult.AGAIN, sync(Relay(events(Event.Notified(notification("b"))), synced = false)))
        assertEquals(1, seen.size)
    }

    @Test
    fun `only what passes is tried again`() {
        assertEquals(SyncResult.AGAIN, sync(Relay(events(), fails = CoreException.Network("no route", null))))
        assertEquals(SyncResult.AGAIN, sync(Relay(events(), fails = CoreException.Busy())))
        assertEquals(SyncResult.AGAIN, sync(Relay(events(), fails = CoreException.Background())))
        assertEquals(SyncResult.NEVER, sync(Relay(events(), fails = CoreException.Revoked())))
        assertEquals(SyncResult.NEVER, sync(Relay(events(), fails = CoreException.NotPaired())))
        assertEquals(SyncResult.NEVER, sync(Relay(events(), fails = CoreException.KeyLost("invalidated"))))
    }

    @Test
    fun `a home that never stops talking does not hold the phone awake`() {
        val endless = object : FakeHome() {
            override suspend fun waitSynced(waitMs: Int) = true
            override suspend fun nextEvent(waitMs: Int) = Event.CamerasChanged
        }
        runBlocking { assertEquals(SyncResult.DONE, sync(endless, desk, 1) {}) }
        assertTrue(seen.isEmpty())
    }
}
