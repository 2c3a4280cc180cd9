// A phone that was away, and a relay that was: afterwards nothing is missing.
package app.privet.tests

import app.privet.*
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class CatchUpTest : AtHome() {
    @Test
    fun `a phone that was away has what happened meanwhile`() = bounded {
        val away = phone("away")
        away.pair()
        away.shut()

        // A clip and new phones: told while it was away. Of a motion that began when both had joined: who joins is not told of earlier ones.
        val clip = phone("home").pair().clipOfMotion()
        phone("guest").pair()

        val client = away.open()
        assertTrue(client.waitSynced(30_000u))
        // The catch-up of an app in the background: synced, then all that is told is there without waiting.
        val told = mutableListOf<Event>()
        while (true) told += client.nextEvent(0u) ?: break
        for (name in listOf("home", "guest")) assertTrue(told.any { it is Event.DevicesChanged && name in it.what }, "$told")
        assertTrue(told.any { it is Event.ClipReady && it.clipId == clip.id }, "$told")
        assertTrue(client.openClip(clip.id).verify().ok)
        assertTrue(client.events(null, 0, EVER, null, 50u).events.any { it.clipId == clip.id })
    }

    @Test
    fun `what is known is there without a relay`() = bounded {
        val offline = phone("offline")
        val first = offline.pair()
        val clip = first.openClip(first.finishedClip().id)
        val whole = clip.len()
        offline.shut()
        house.tell("relay", "on" to false)
        try {
            val client = offline.open()
            assertFalse(client.waitSynced(0u))
            assertEquals(house.cameras, client.cameras().map { it.name })
            assertTrue("offline" in client.names())
            // All of it was fetched, and is here still.
            assertTrue(client.openClip(clip.info().id).let { it.len() == whole && it.verify().ok })
        } finally {
            house.tell("relay", "on" to true)
        }
    }

    @Test
    fun `a relay that comes back is found and live goes on`() = bounded {
        val client = phone("stubborn").pair()
        val live = client.live()
        val last = (live.take { it.last().verified }.last() as LiveItem.Segment).lastFrame
        house.tell("relay", "on" to false)
        client.event<Event.Link> { it.state != LinkState.RELAY }
        assertFalse(client.status().caughtUp)
        house.tell("relay", "on" to true)
        client.networkChanged()
        client.event<Event.Link> { it.state == LinkState.RELAY }
        assertTrue(client.waitSynced(30_000u))
        // The same view.
        live.take { it.last().verified && (it.last() as LiveItem.Segment).lastFrame > last }
        live.stop()
    }
}
