// `privet-house` as JUnit sees it: a real relay, hub and cameras, told what to do in lines of JSON. The lines are in
// docs/design/0020-phone-bindings.md. Every wait is bounded.
package app.privet.tests

import java.io.File
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** How long the house may take for one line: it may start a hub or a camera. */
private const val ANSWER_S = 90L

class House(vararg words: String) : AutoCloseable {
    private val log = File.createTempFile("privet-house", ".log")
    private val process: Process
    private val lines = LinkedBlockingQueue<String>()
    val ready: String

    init {
        val program = System.getenv("PRIVET_HOUSE") ?: error("PRIVET_HOUSE says where privet-house is; ./dev test kotlin sets it")
        process = ProcessBuilder(program, *words).redirectError(log).start()
        thread(isDaemon = true) { process.inputStream.bufferedReader().forEachLine { lines.put(it) } }
        ready = line()
    }

    val relay get() = texts(ready, "relay").single()
    val cameras get() = Regex("\"cameras\"\\s*:\\s*\\[([^]]*)]").find(ready)!!.groupValues[1].split(",").map { it.trim().trim('"') }

    /** One line, and its answer. `more` are fields with their values as JSON. */
    fun tell(what: String, vararg more: Pair<String, Any>): String {
        val fields = more.joinToString("") { (name, value) -> ",\"$name\":" + if (value is String) "\"$value\"" else value }
        process.outputStream.write("{\"do\":\"$what\"$fields}\n".toByteArray())
        process.outputStream.flush()
        return line()
    }

    fun offer() = texts(tell("offer"), "offer").single()

    fun devices() = texts(tell("devices"), "name")

    private fun line(): String {
        val line = lines.poll(ANSWER_S, TimeUnit.SECONDS) ?: error("privet-house does not answer; it said: ${log.readText().takeLast(2000)}")
        texts(line, "error").firstOrNull()?.let { error(it) }
        return line
    }

    /** Its input ends, and so must it, with everything that it started. */
    override fun close() {
        process.outputStream.close()
        val ended = process.waitFor(30, TimeUnit.SECONDS)
        process.destroyForcibly()
        check(ended) { "privet-house goes on without input" }
        log.delete()
    }
}

/** The texts that stand under a key, in order. The answers are flat enough for this. */
private fun texts(json: String, key: String) =
    Regex("\"$key\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").findAll(json).map { it.groupValues[1] }.toList()
