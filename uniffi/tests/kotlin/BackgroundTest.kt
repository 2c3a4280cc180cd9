// An app that goes to the background holds nothing that others wait for, and comes back without asking for a finger.
package app.privet.tests

import app.privet.*
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class BackgroundTest : AtHome() {
    @Test
    fun `in the background another process may have the store`() = bounded {
        val client = phone("ann").pair()
        val live = client.live()
        live.take { it.last().verified }
        Other(folder, "ann", "open").use { assertEquals("Busy", it.says()) }

        client.background(20_000u)
        fails<CoreException.Background> { client.cameras() }
        fails<CoreException.Background> { client.status() }
        withTimeout(5.seconds) { live.ended() }
        // Said twice is said once.
        client.background(1000u)

        Other(folder, "ann", "hold").use {
            assertEquals("open", it.says())
            fails<CoreException.Busy> { client.foreground() }
            it.goOn()
            assertEquals("shut", it.says())
        }
        client.foreground()
        client.foreground()
        assertEquals(house.cameras, client.cameras().map { it.name })
        client.live().apply { take { it.last().verified } }.stop()
    }

    @Test
    fun `what happened meanwhile is told and the keystore is asked once`() = bounded {
        val keys = Keys()
        Client.open(config(folder, "ben"), keys).shutDown()
        keys.labels.clear()
        val client = Client.open(config(folder, "ben"), keys)
        client.pair(PairingOffer.parse(house.offer()))
        val known = client.clips(null, 0, EVER, null, 50u).clips.map { it.id }.toSet()
        client.background(20_000u)
        val clip = phone("guest").pair().finishedClip(known)
        client.foreground()
        client.event<Event.ClipReady> { it.clipId == clip.id }
        assertEquals(1, keys.labels.size)
        // From the background straight to the end.
        client.background(20_000u)
        client.shutDown()
        fails<CoreException.Stopped> { client.foreground() }
    }

    @Test
    fun `a listener goes on after the background`() = bounded {
        val client = phone("cy").pair()
        val joined = LinkedBlockingQueue<String>()
        client.setListener(object : EventListener {
            override fun onEvent(event: Event) {
                if (event is Event.DevicesChanged) joined.put(event.what)
            }
        })
        client.background(20_000u)
        client.foreground()
        phone("dan").pair()
        assertTrue(generateSequence { joined.poll(60, TimeUnit.SECONDS) }.any { "dan" in it })
        client.setListener(null)
    }
}
