// Listeners as apps write them: one that throws, one that is slow, one that goes. Nothing hangs.
package app.privet.tests

import app.privet.*
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class ListenersTest : AtHome() {
    /** Keeps what it was told; does `first` with it afterwards. */
    private class Listener(private val first: (Event) -> Unit = {}) : EventListener {
        val told = LinkedBlockingQueue<Event>()

        override fun onEvent(event: Event) {
            told.put(event)
            first(event)
        }

        fun hears(name: String) = assertTrue(
            generateSequence { told.poll(60, TimeUnit.SECONDS) }.any { it is Event.DevicesChanged && name in it.what }
        )
    }

    @Test
    fun `a listener that throws hurts nobody but itself`() = bounded {
        val client = phone("unlucky").pair()
        val listener = Listener { throw IllegalStateException("the app has a defect") }
        client.setListener(listener)
        phone("first").pair()
        assertNotNull(listener.told.poll(60, TimeUnit.SECONDS))
        // The library goes on, for calls and for who pulls events, and takes another listener.
        phone("second").pair()
        client.event<Event.DevicesChanged> { "second" in it.what }
        val better = Listener()
        client.setListener(better)
        phone("third").pair()
        better.hears("third")
        client.setListener(null)
    }

    @Test
    fun `a slow listener holds up nobody and is told all`() = bounded {
        val gate = CountDownLatch(1)
        val client = phone("slow").pair()
        val listener = Listener { gate.await(60, TimeUnit.SECONDS) }
        client.setListener(listener)
        phone("while it sleeps").pair()
        // It sits in its first event. Calls answer, and who pulls has everything.
        assertTrue(client.waitSynced(30_000u))
        client.event<Event.DevicesChanged> { "while it sleeps" in it.what }
        assertTrue(listener.told.size <= 1)
        gate.countDown()
        listener.hears("while it sleeps")
        client.setListener(null)
    }

    @Test
    fun `a listener that went is not called any more`() = bounded {
        val client = phone("quiet").pair()
        val gone = Listener()
        val stays = Listener()
        client.setListener(gone)
        client.setListener(stays)
        phone("newcomer").pair()
        stays.hears("newcomer")
        assertTrue(gone.told.none { it is Event.DevicesChanged && "newcomer" in it.what })
        client.setListener(null)
    }

    @Test
    fun `events are a flow that ends with the client`() = bounded {
        val phone = phone("flowing")
        val client = phone.pair()
        phone("someone").pair()
        assertNotNull(client.events().first { it is Event.DevicesChanged && "someone" in it.what })
        val all = begin { client.events().collect {} }
        phone.shut()
        all.await().getOrThrow()
    }
}
