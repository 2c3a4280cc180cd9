// A picture's way from Rust into Kotlin, measured: `./dev bench phone` runs this against a real camera. Arguments: a folder, the text of a code. Prints
// one line of JSON.
package app.privet.bench

import app.privet.*
import java.lang.management.ManagementFactory
import kotlinx.coroutines.runBlocking

/** Pictures that are measured, after as many that warm the JVM up. */
private const val PICTURES = 600

fun main(arguments: Array<String>) {
    val (folder, code) = arguments
    val client = runBlocking { Client.open(Config("$folder/store", "bench", 64u, "bench"), FileKeys("$folder/key")) }
    runBlocking { client.pair(PairingOffer.parse(code)) }
    val camera = runBlocking { generateSequence { runBlocking { client.nextEvent(100u) }; client }.firstNotNullOf { it.onlineCamera() } }
    val live = runBlocking { client.openLive(camera, LiveFormat.ACCESS_UNITS, 5000u) }

    // As they come: what a wait costs is the waiter's, so the next picture is here before it is pulled. The words that say so carry no picture, and
    // show what of the cost is any call's, in a processor that did something else meanwhile.
    var empty = Costs()
    var singly = Costs()
    repeat(2) {
        empty = Costs()
        singly = Costs()
        while (singly.size < PICTURES) {
            Thread.sleep(1)
            if (empty.of { live.stats() }.queued == 0uL) continue
            singly.of({ it != null }) { live.picture() }
        }
    }
    val inARow = Costs()
    while (inARow.size < PICTURES) {
        if (live.stats().queued < 30uL) Thread.sleep(1) else while (live.stats().queued > 0uL) inARow.of({ it != null }) { live.picture() }
    }
    live.stop()
    runBlocking { client.shutDown() }
    println("""{"singly": ${singly.said()}, "empty": ${empty.said()}, "in_a_row": ${inARow.said()}, "mean_bytes": ${bytes / pictures}}""")
}

private var pictures = 0
private var bytes = 0L

private class Costs {
    private val threads = ManagementFactory.getThreadMXBean()
    private val costs = mutableListOf<Long>()
    val size get() = costs.size

    /** Does it, and counts what it cost this thread if [counts] says so. */
    fun <T> of(counts: (T) -> Boolean = { true }, work: () -> T): T {
        val before = threads.currentThreadCpuTime
        val done = work()
        val cost = threads.currentThreadCpuTime - before
        if (counts(done)) costs += cost
        return done
    }

    fun said(): String {
        costs.sort()
        return """{"times": $size, "p50_us": ${costs[size / 2] / 1e3}, "mean_us": ${costs.average() / 1e3}}"""
    }
}

/** The next item, if it is a picture. */
private fun Live.picture(): LiveItem.Media? {
    val item = nextBlocking(1000u)
    if (item is LiveItem.End) error("the view ended: ${item.reason}")
    return (item as? LiveItem.Media)?.also {
        pictures++
        bytes += it.data.size
    }
}

private suspend fun Client.onlineCamera() = cameras().firstOrNull { it.online }?.id
