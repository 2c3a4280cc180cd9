package app.privet.example.core

import app.privet.Camera
import app.privet.CoreException
import app.privet.Event
import app.privet.EventInfo
import app.privet.Notification
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class HomeModelTest {
    private class House : FakeHome() {
        @Volatile var isPaired = true
        @Volatile var there = listOf(camera("gate"))
        @Volatile var fails: CoreException? = null

        override suspend fun status() = fails?.let { throw it } ?: status(isPaired)
        override suspend fun cameras(): List<Camera> = there
        override suspend fun happened(limit: Int): List<EventInfo> = emptyList()
    }

    private val house = House()
    private val notified = ArrayList<Notification>()
    private val model = HomeModel(house) { notified += it }
    private val scope = CoroutineScope(kotlinx.coroutines.Dispatchers.Default)

    private fun until(what: (HomeState) -> Boolean): HomeState = runBlocking { withTimeout(10_000) { model.state.first(what) } }
    private fun tell(event: Event) = house.listener!!(event)

    @AfterEach
    fun end() = scope.cancel()

    @Test
    fun `what there is is read at the start and after every event`() {
        model.start(scope)
        assertEquals(listOf("gate"), until { it.paired }.cameras.map { it.id })
        house.there = listOf(camera("gate", online = false))
        tell(Event.CameraState("gate", false))
        until { it.cameras.single().online.not() }
        house.there += camera("door")
        tell(Event.CamerasChanged)
        until { it.cameras.size == 2 }
    }

    @Test
    fun `a notification is shown before the listener returns`() {
        model.start(scope)
        tell(Event.Notified(notification("1")))
        assertEquals("1", notified.single().eventId)
    }

    @Test
    fun `every join is news`() {
        model.start(scope)
        tell(Event.DevicesChanged("Bob's phone joined"))
        assertEquals(listOf("Bob's phone joined"), until { it.news.isNotEmpty() }.news)
    }

    @Test
    fun `a phone that was removed shows no cameras`() {
        model.start(scope)
        until { it.cameras.isNotEmpty() }
        house.isPaired = false
        tell(Event.Removed)
        until { !it.paired && it.cameras.isEmpty() }
    }

    @Test
    fun `a failure is said, and gone when it is over, and being in the background is none`() {
        model.start(scope)
        house.fails = CoreException.Storage("full")
        tell(Event.WishesChanged)
        assertEquals("full", until { it.problem != null }.problem!!.detail)
        house.fails = CoreException.Background()
        tell(Event.WishesChanged)
        house.fails = null
        tell(Event.WishesChanged)
        until { it.problem == null }
    }

    @Test
    fun `after the end nobody listens`() {
        model.start(scope)
        model.stop()
        assertNull(house.listener)
    }

    @Test
    fun `a wish that the hub has not heard yet is no failure`() = runBlocking {
        assertEquals(Said.Kept, say {})
        assertEquals(Said.Waits("the hub"), say { throw CoreException.Timeout("the hub") })
        assertEquals(Said.Failed(Advice("32 zones at most", Then.NOTHING)), say { throw CoreException.Invalid("32 zones at most") })
    }
}
