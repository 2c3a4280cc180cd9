package app.privet.example.core

import app.privet.CoreException
import app.privet.NotificationKeys
import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

class NotificationsTest {
    @TempDir
    lateinit var folder: Path
    private lateinit var file: File
    private lateinit var desk: NotificationDesk
    private val seen = ArrayList<NotificationDecision>()

    @BeforeEach
    fun begin() {
        file = folder.resolve("shown").toFile()
        desk = NotificationDesk(file)
    }

    private fun deliver(id: String, counter: Long, stale: Boolean = false) =
        desk.deliver(notification(id, counter, stale = stale)) { seen += it }

    @Test
    fun `the same one by two ways is shown once`() {
        assertTrue(deliver("a", 1) is NotificationDecision.Show)
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.SHOWN), deliver("a", 1))
        assertEquals(1, seen.size)
    }

    @Test
    fun `more about the same event takes its place, less does not`() {
        deliver("a", 5)
        assertTrue(deliver("a", 7) is NotificationDecision.Replace)
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.SHOWN), deliver("a", 6))
    }

    @Test
    fun `one of another day alarms nobody`() {
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.STALE), deliver("a", 1, stale = true))
        assertTrue(seen.isEmpty() && desk.untold().isEmpty())
    }

    @Test
    fun `what was shown is known after a restart, and whether the library was told`() {
        deliver("a", 1)
        deliver("b", 2)
        desk.told("a")
        desk = NotificationDesk(file)
        assertEquals(listOf("b"), desk.untold())
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.SHOWN), deliver("a", 1))
    }

    @Test
    fun `one that could not be shown comes again`() {
        assertThrows(IllegalStateException::class.java) { desk.deliver(notification("a")) { error("no permission") } }
        assertTrue(deliver("a", 1) is NotificationDecision.Show)
    }

    @Test
    fun `a damaged file costs what is damaged`() {
        deliver("a", 1)
        file.appendText("half a li")
        desk = NotificationDesk(file)
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.SHOWN), deliver("a", 1))
    }

    @Test
    fun `a full disk keeps nobody from being told`() {
        desk = NotificationDesk(folder.resolve("no such folder/shown").toFile())
        assertTrue(deliver("a", 1) is NotificationDecision.Show)
        assertEquals(NotificationDecision.Drop(NotificationDecision.Why.SHOWN), deliver("a", 1))
    }

    @Test
    fun `the list does not grow for ever, and forgets the oldest first`() {
        for (at in 0L until 400) deliver("$at", at + 1)
        assertEquals(300, file.readLines().size)
        assertEquals("100", desk.untold().first())
    }

    @Test
    fun `channels go by severity, and an unknown one is not silent`() {
        assertEquals(Channel.ALARM, card(notification("a", severity = "alarm")).channel)
        assertEquals(Channel.TROUBLE, card(notification("a", severity = "warning")).channel)
        assertEquals(Channel.MOTION, card(notification("a", severity = "hint")).channel)
        assertEquals("Ann's home", card(notification("a")).text)
        assertEquals("in path", card(notification("a", body = "in path")).text)
    }

    @Test
    fun `a push message is opened with the keys alone`() {
        val keys = NotificationKeys(ByteArray(32), ByteArray(32))
        fun door(keys: NotificationKeys?, fails: CoreException? = null) =
            PushDoor(desk, { keys }, { _, bytes, _ -> fails?.let { throw it } ?: notification("${bytes[0]}") }, { seen += it })

        assertTrue((door(keys).arrived(byteArrayOf(1), 0) as Arrived.Decided).decision is NotificationDecision.Show)
        assertEquals(Arrived.Call, door(keys).arrived(ByteArray(0), 0))
        assertTrue(door(null).arrived(byteArrayOf(2), 0) is Arrived.Unopened)
        assertTrue(door(keys, CoreException.Tampered("forged")).arrived(byteArrayOf(3), 0) is Arrived.Unopened)
        assertEquals(1, seen.size)
    }
}
