// What the tests stand on: a house for each class, phones with folders of their own, and bounded waits for what they are told.
package app.privet.tests

import app.privet.*
import java.io.File
import java.nio.file.Files
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.TestInstance

/** How long anything may take that waits for a camera's next crossing of the box (every six seconds), or for a machine under load. */
val SOON = 60.seconds
const val SOON_MS = 60_000u
val EVER = Long.MAX_VALUE / 2

/** No test may take longer, whatever hangs. */
fun bounded(test: suspend CoroutineScope.() -> Unit) = runBlocking(Dispatchers.Default) { withTimeout(120.seconds, test) }

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Scratch {
    protected val folder: File = Files.createTempDirectory("privet-kotlin").toFile()
    private val phones = mutableListOf<Phone>()

    fun phone(name: String) = Phone(folder, name).also { phones += it }

    @AfterEach
    fun shutPhones() = bounded { phones.onEach { it.shut() }.clear() }

    @AfterAll
    fun removeFolder() {
        folder.deleteRecursively()
    }
}

/** With a house; the relay itself is before the phones, unless other words are given. */
abstract class AtHome(vararg words: String = arrayOf("--honest")) : Scratch() {
    protected val house = House(*words)

    suspend fun Phone.pair(): Client = (client ?: open()).also { it.pair(PairingOffer.parse(house.offer())) }

    @AfterAll
    fun endHouse() = house.close()
}

fun config(folder: File, name: String) = Config("$folder/$name", name, 64u, "test")

/** What one phone keeps over its clients: where its store is, and what it is called. */
class Phone(private val folder: File, val name: String) {
    var client: Client? = null

    suspend fun open(): Client = Client.open(config(folder, name), FileKeys("$folder/$name.key")).also { client = it }

    suspend fun shut() {
        client?.also { client = null }?.use { it.shutDown() }
    }
}

/** The error that a call must end with. */
suspend inline fun <reified E : Throwable> fails(call: () -> Any?): E =
    try {
        fail("there was no ${E::class.simpleName}, but ${call()}")
    } catch (error: CoreException) {
        error as? E ?: throw error
    }

/** Looks again and again until there is something. */
suspend fun <T : Any> until(what: String, look: suspend () -> T?): T {
    val end = TimeSource.Monotonic.markNow() + SOON
    while (end.hasNotPassedNow()) {
        look()?.let { return it }
        delay(100.milliseconds)
    }
    return fail("waited in vain for $what")
}

/** The next event that is wanted; those before it are passed over. */
suspend inline fun <reified E : Event> Client.event(wanted: (E) -> Boolean = { true }): E {
    val seen = mutableListOf<Event>()
    val end = TimeSource.Monotonic.markNow() + SOON
    while (end.hasNotPassedNow()) {
        val event = nextEvent(500u) ?: continue
        seen += event
        if (event is E && wanted(event)) return event
    }
    return fail("waited in vain for a ${E::class.simpleName}; there were $seen; ${status()}")
}

/** The newest finished clip that is not among those known. */
suspend fun Client.finishedClip(known: Set<String> = setOf()): ClipInfo =
    until("a finished clip") { clips(null, 0, EVER, null, 50u).clips.firstOrNull { it.finished && it.id !in known } }

/** A finished clip of a motion that this phone was told of: it was a member before. */
suspend fun Client.clipOfMotion(): ClipInfo {
    val id = event<Event.Happened> { it.event.kind == "motion" && it.event.clipId != null }.event.clipId
    return until("its end") { clips(null, 0, EVER, null, 50u).clips.firstOrNull { it.finished && it.id == id } }
}

/** What a live view gives until it is enough. */
suspend fun Live.take(enough: (List<LiveItem>) -> Boolean): List<LiveItem> {
    val seen = mutableListOf<LiveItem>()
    val end = TimeSource.Monotonic.markNow() + SOON
    while (end.hasNotPassedNow()) {
        val item = next(1000u)
        if (item is LiveItem.Idle) continue
        seen += item
        if (enough(seen)) return seen
        if (item is LiveItem.End) fail<Unit>("it ended: ${item.reason}")
    }
    return fail("not enough within $SOON: ${seen.groupingBy { it::class.simpleName }.eachCount()}")
}

val LiveItem.verified get() = this is LiveItem.Segment && trust is Trust.Verified

suspend fun Client.camera() = cameras().first()

suspend fun Client.live(format: LiveFormat = LiveFormat.ACCESS_UNITS) = openLive(camera().id, format, 2000u)

/** Takes items until the view says that it is over. */
suspend fun Live.ended() {
    while (true) {
        try {
            if (next(1000u) is LiveItem.End) return
        } catch (_: CoreException.Stopped) {
            return
        } catch (_: CoreException.Revoked) {
            return
        } catch (_: CoreException.Background) {
            return
        }
    }
}

suspend fun Client.names() = devices().map { it.name }.toSet()

/** A call that goes on beside the test, which decides itself what its failure means. */
fun <T> CoroutineScope.begin(on: CoroutineDispatcher = Dispatchers.Default, call: suspend () -> T): Deferred<Result<T>> =
    async(on) { runCatching { call() } }
