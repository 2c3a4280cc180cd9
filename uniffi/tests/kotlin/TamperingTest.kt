// A relay that changes what it passes on: nothing of it is shown as verified, the person is told, and the truth is taken afterwards.
package app.privet.tests

import app.privet.*
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

/** The relay that can be told to tamper stands before the phones. */
class TamperingTest : AtHome(words = arrayOf()) {
    private suspend fun tampered(test: suspend () -> Unit) {
        house.tell("tamper", "on" to true)
        try {
            test()
        } finally {
            house.tell("tamper", "on" to false)
        }
    }

    @Test
    fun `a clip that was changed is refused and the true one is taken`() = bounded {
        val client = phone("collector").pair()
        val known = client.finishedClip()
        val lines = LinkedBlockingQueue<Pair<LogLevel, String>>()
        setLogSink(object : LogSink {
            override fun log(level: LogLevel, target: String, line: String) = lines.put(level to "$target: $line")
        }, LogLevel.WARN)
        tampered {
            val error = fails<CoreException.Tampered> { client.openClip(known.id).len() }
            assertTrue(error.reason.isNotEmpty())
            val alert = client.event<Event.TrustAlert>()
            assertTrue("does not verify" in alert.what)
            assertTrue(client.status().alerts.any { it.what == alert.what })
            // The same is in the app's log.
            val line = lines.poll(30, TimeUnit.SECONDS)
            assertTrue(line != null && line.first == LogLevel.WARN && line.second.startsWith("privet::trust: "), "$line")
        }
        setLogSink(null, LogLevel.ERROR)
        assertTrue(client.openClip(known.id).verify().ok)
    }

    @Test
    fun `live pictures that were changed are never called verified`() = bounded {
        val client = phone("watcher").pair()
        val live = client.live()
        live.take { it.last().verified }
        val told = { item: LiveItem ->
            item is LiveItem.Segment && item.trust is Trust.Broken || item is LiveItem.Gap && item.reason == GapReason.FAILED_VERIFICATION
        }
        tampered {
            // What was on its way before is true still; then one that was changed has its verdict, or is missing and told.
            val seen = live.take { told(it.last()) }
            // From then on no segment is called verified: each one is changed.
            val more = seen.dropWhile { !told(it) } + live.take { it.count(told) >= 2 }
            assertTrue(more.none { it.verified }, "$more")
            assertTrue(more.filterIsInstance<LiveItem.Media>().all { it.trust is Trust.Pending })
            until("the alert") { client.status().alerts.firstOrNull { "does not verify" in it.what } }
            assertTrue(live.stats().broken > 0u)
        }
        live.take { it.last().verified }
        live.stop()
    }
}
