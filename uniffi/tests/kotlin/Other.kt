// Another process with a phone's store: what an extension, a second start of the app or a crash is to the first one.
package app.privet.tests

import app.privet.*
import java.io.File
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking

class Other(folder: File, name: String, vararg words: String) : AutoCloseable {
    private val java = System.getProperty("java.home") + "/bin/java"
    private val process: Process =
        ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "app.privet.tests.OtherKt", folder.path, name, *words)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    private val lines = LinkedBlockingQueue<String>()

    init {
        thread(isDaemon = true) { process.inputStream.bufferedReader().forEachLine { lines.put(it) } }
    }

    fun says(): String = lines.poll(60, TimeUnit.SECONDS) ?: error("the other process says nothing")

    fun goOn() {
        process.outputStream.write("\n".toByteArray())
        process.outputStream.flush()
    }

    /** As the system kills: without a word. */
    override fun close() {
        process.destroyForcibly()
        check(process.waitFor(60, TimeUnit.SECONDS))
    }
}

private fun say(word: String) {
    println(word)
    System.out.flush()
}

fun main(words: Array<String>): Unit = runBlocking {
    val (folder, name, what) = words
    val client = try {
        Client.open(config(File(folder), name), FileKeys("$folder/$name.key"))
    } catch (_: CoreException.Busy) {
        say("Busy")
        exitProcess(0)
    }
    say("open")
    when (what) {
        "hold" -> readlnOrNull()
        "pair" -> {
            say("calling")
            client.pair(PairingOffer.parse(words[3]))
            say("paired")
        }
        "live" -> {
            val live = client.live()
            live.take { it.last() is LiveItem.Media }
            say("calling")
            while (true) live.next(1000u)
        }
        "export" -> {
            val clip = client.openClip(words[3])
            say("calling")
            while (true) clip.exportTo(words[4], true)
        }
    }
    client.shutDown()
    say("shut")
    exitProcess(0)
}
