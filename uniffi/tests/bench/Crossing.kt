// A picture's way from Rust into Kotlin, measured: `./dev bench phone` runs this against a real camera. Arguments: a folder, the text of a code. Prints
// one line of JSON.
package app.privet.bench

import app.privet.*
import java.lang.management.ManagementFactory
import kotlinx.coroutines.runBlocking

/** Pictures that are measured, after as many that warm the machine up. */
private const val PICTURES = 600
private const val WARMING = 600

fun main(arguments: Array<String>) {
    val (folder, code) = arguments
    val client = runBlocking { Client.open(Config("$folder/store", "bench", 64u, "bench"), FileKeys("$folder/key")) }
    runBlocking { client.pair(PairingOffer.parse(code)) }
    val camera = runBlocking { generateSequence { runBlocking { client.nextEvent(100u) }; client }.firstNotNullOf { it.onlineCamera() } }
    val live = runBlocking { client.openLive(camera, LiveFormat.ACCESS_UNITS, 5000u) }
    val threads = ManagementFactory.getThreadMXBean()
    val costs = mutableListOf<Long>()
    var bytes = 0L
    var seen = 0
    while (costs.size < PICTURES) {
        // It waits for the next picture to be there, so that only the crossing is measured: what a wait costs is the waiter's.
        while (live.stats().queued == 0uL) Thread.sleep(1)
        val before = threads.currentThreadCpuTime
        val item = live.nextBlocking(1000u)
        val cost = threads.currentThreadCpuTime - before
        if (item is LiveItem.End) error("the view ended: ${item.reason}")
        if (item !is LiveItem.Media || seen++ < WARMING) continue
        costs += cost
        bytes += item.data.size
    }
    live.stop()
    runBlocking { client.shutDown() }
    costs.sort()
    println(
        """{"pictures": ${costs.size}, "p50_us": ${costs[PICTURES / 2] / 1e3}, "mean_us": ${costs.average() / 1e3}, "mean_bytes": ${bytes / PICTURES}}""",
    )
}

private suspend fun Client.onlineCamera() = cameras().firstOrNull { it.online }?.id
