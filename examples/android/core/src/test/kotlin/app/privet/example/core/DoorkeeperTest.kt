package app.privet.example.core

import app.privet.CoreException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test

class DoorkeeperTest {
    private val asked = ArrayList<String>()
    private var fails = false
    private val home = object : FakeHome() {
        override suspend fun background(withinMs: Int) { asked += "background" }
        override suspend fun foreground() { asked += "foreground" }
    }
    private val door = Doorkeeper {
        asked += "open"
        if (fails) throw CoreException.Keystore("locked", false)
        home
    }

    @Test
    fun `opened once, let go of after each use, and opened again for the next`() = runBlocking {
        door.use { asked += "first" }
        door.use { asked += "second" }
        assertEquals(listOf("open", "first", "background", "foreground", "second", "background"), asked)
    }

    @Test
    fun `a worker beside the screen opens and closes nothing`() = runBlocking {
        val goes = CompletableDeferred<Unit>()
        val screen = async(start = CoroutineStart.UNDISPATCHED) { door.use { goes.await() } }
        door.use { asked += "worker" }
        goes.complete(Unit)
        screen.await()
        assertEquals(listOf("open", "worker", "background"), asked)
    }

    @Test
    fun `a screen that is cancelled lets go all the same`() = runBlocking {
        val screen = launch(start = CoroutineStart.UNDISPATCHED) { door.use { awaitCancellation() } }
        screen.cancelAndJoin()
        assertEquals(listOf("open", "background"), asked)
    }

    @Test
    fun `what did not open is opened by the next one`() {
        fails = true
        assertThrows(CoreException.Keystore::class.java) { runBlocking { door.use {} } }
        fails = false
        runBlocking { door.use {} }
        assertEquals(listOf("open", "open", "background"), asked)
    }
}
