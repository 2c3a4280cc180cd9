// Objects that are let go of, waits that are stopped and processes that are killed, each in the middle of a call.
package app.privet.tests

import app.privet.*
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

class LifetimeTest : AtHome() {
    /** `stop` ends a wait at once; so much is a slow machine's. */
    private val atOnce = 5.seconds

    /** That the call ends, with an end or with `Stopped`. */
    private suspend fun over(call: Deferred<Result<Any?>>) {
        val result = withTimeout(atOnce) { call.await() }
        val end = result.getOrElse { if (it is CoreException.Stopped) null else throw it }
        assertTrue(end == null || end == Unit || end is LiveItem.End, "$end")
    }

    @Test
    fun `stop ends a wait at once`() = bounded {
        val client = phone("impatient").pair()
        val live = client.live()
        live.take { it.last().verified }
        house.tell("camera", "on" to false)
        try {
            // Nothing comes any more: a wait for the next item is a real one.
            while (live.next(1500u) !is LiveItem.Idle) Unit
            val waiting = begin { live.next(60_000u) }
            val blocked = begin(Dispatchers.IO) { live.nextBlocking(60_000u) }
            client.status()
            live.stop()
            over(waiting)
            over(blocked)
            fails<CoreException.Stopped> { live.next(0u) }
        } finally {
            house.tell("camera", "on" to true)
        }
    }

    @Test
    fun `shut down ends every wait at once`() = bounded {
        val ends = phone("ends")
        val client = ends.pair()
        val live = client.live()
        val waits = listOf(begin { live.items().collect {} }, begin { client.events().collect {} })
        client.status()
        client.shutDown()
        waits.forEach { over(it) }
        fails<CoreException.Stopped> { client.cameras() }
        fails<CoreException.Stopped> { client.nextEvent(0u) }
    }

    @Test
    fun `what is dropped in the middle of a call is gone without harm`() = bounded {
        val client = phone("careless").pair()
        val known = client.finishedClip()
        repeat(10) {
            val live = client.live()
            val clip = client.openClip(known.id)
            val calls = listOf<suspend () -> Unit>(
                { live.next(30_000u) },
                { clip.exportTo("$folder/dropped.mp4", true) },
                { clip.verify() },
                { client.nextEvent(30_000u) },
            ).map { launch(start = CoroutineStart.UNDISPATCHED) { it() } }
            // Closed while they are in the library: the handles go when the calls are over.
            live.close()
            clip.close()
            calls.forEach { it.cancelAndJoin() }
        }
        System.gc()
        assertTrue(client.openClip(known.id).verify().ok)
        client.live().apply { take { it.last().verified } }.stop()
    }

    @Test
    fun `a client that is dropped lets go of its store`() = bounded {
        val dropped = phone("dropped")
        dropped.pair().close()
        dropped.client = null
        val client = until("the store") {
            try {
                dropped.open()
            } catch (_: CoreException.Busy) {
                null
            }
        }
        assertTrue(client.status().paired)
    }

    @ParameterizedTest
    @ValueSource(strings = ["live", "export"])
    fun `a process that is killed in a call leaves a store that opens`(call: String) = bounded {
        val killed = phone("killed in $call")
        val client = killed.pair()
        val more = if (call == "export") arrayOf(client.finishedClip().id, "$folder/killed.mp4") else arrayOf()
        killed.shut()
        Other(folder, killed.name, call, *more).use {
            assertEquals("open", it.says())
            assertEquals("calling", it.says())
        }
        val again = killed.open()
        assertTrue(again.status().paired && again.waitSynced(30_000u))
        again.live().apply { take { it.last().verified } }.stop()
        assertTrue(again.status().alerts.isEmpty())
    }

    // Pairing takes some hundred milliseconds: from its first moment to past its end.
    @ParameterizedTest
    @ValueSource(longs = [0, 50, 200])
    fun `a pairing that is killed is done or can be done again`(afterMs: Long) = bounded {
        val cut = phone("cut after $afterMs")
        Other(folder, cut.name, "pair", house.offer()).use {
            assertEquals("open", it.says())
            assertEquals("calling", it.says())
            delay(afterMs.milliseconds)
        }
        val client = cut.open()
        if (!client.status().paired) cut.pair()
        assertTrue(client.waitSynced(30_000u) && client.cameras().isNotEmpty())
    }
}
