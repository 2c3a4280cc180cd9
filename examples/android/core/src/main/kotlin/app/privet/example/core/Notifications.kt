package app.privet.example.core

import app.privet.CoreException
import app.privet.Notification
import app.privet.NotificationKeys
import java.io.File
import java.io.IOException

/** The system's channels; the person can silence each. */
enum class Channel(val id: String, val title: String) {
    MOTION("info", "Motion"),
    TROUBLE("warning", "Cameras and hub in trouble"),
    ALARM("alarm", "Tampering");

    companion object {
        /** A severity that a newer hub invents is no reason to be silent. */
        fun of(severity: String) = entries.find { it.id == severity } ?: MOTION
    }
}

/** What the system is given, under [id]: the same id replaces. */
data class Card(
    val id: String,
    val channel: Channel,
    val title: String,
    val text: String,
    val atMs: Long,
    val late: Boolean,
    val picture: ByteArray?,
    val clipId: String?,
)

sealed interface NotificationDecision {
    /** New: may ring. */
    data class Show(val card: Card) : NotificationDecision
    /** More about an event that was shown: no sound. */
    data class Replace(val card: Card) : NotificationDecision
    data class Drop(val why: Why) : NotificationDecision

    enum class Why { STALE, SHOWN }
}

/**
 * Decides about each notification once, whichever way it comes: push service, open connection, or both. What was shown is kept
 * in [file] over restarts, with whether the library was told.
 */
class NotificationDesk(private val file: File) {
    private class Shown(val counter: ULong, var told: Boolean)

    private val shown = LinkedHashMap<String, Shown>()

    init {
        val lines = if (file.exists()) file.readLines() else emptyList()
        for (line in lines) {
            // One that was cut off by a crash is forgotten: at worst its event is shown again, under its own id.
            val (id, counter, told) = line.split(' ').takeIf { it.size == 3 } ?: continue
            shown[id] = Shown(counter.toULongOrNull() ?: continue, told == "1")
        }
    }

    /** Shows it before it is remembered: after a crash in between it comes again and takes its own place. */
    @Synchronized
    fun deliver(notification: Notification, show: (NotificationDecision) -> Unit): NotificationDecision {
        val decision = decide(notification)
        if (decision is NotificationDecision.Drop) return decision
        show(decision)
        shown.remove(notification.eventId)
        shown[notification.eventId] = Shown(notification.counter, told = false)
        while (shown.size > KEPT) shown.remove(shown.keys.first())
        keep()
        return decision
    }

    /** Events whose notification was shown and of which the library does not know it. */
    @Synchronized
    fun untold(): List<String> = shown.filterValues { !it.told }.keys.toList()

    @Synchronized
    fun told(eventId: String) {
        shown[eventId]?.told = true
        keep()
    }

    internal fun decide(notification: Notification): NotificationDecision {
        if (notification.stale) return NotificationDecision.Drop(NotificationDecision.Why.STALE)
        val before = shown[notification.eventId] ?: return NotificationDecision.Show(card(notification))
        // The same bytes again, or ones that were overtaken.
        if (notification.counter <= before.counter) return NotificationDecision.Drop(NotificationDecision.Why.SHOWN)
        return NotificationDecision.Replace(card(notification))
    }

    private fun keep() {
        try {
            val new = File(file.path + ".new")
            new.writeText(shown.entries.joinToString("") { (id, it) -> "$id ${it.counter} ${if (it.told) 1 else 0}\n" })
            new.renameTo(file)
        } catch (_: IOException) {
            // A full disk keeps nobody from being told: it is known until this process ends.
        }
    }

    private companion object {
        const val KEPT = 300
    }
}

fun card(notification: Notification) = Card(
    id = notification.eventId,
    channel = Channel.of(notification.severity),
    title = notification.title,
    text = notification.body.ifEmpty { notification.home },
    atMs = notification.atMs,
    late = notification.late,
    picture = notification.picture,
    clipId = notification.clipId,
)

/** What a push message turned out to be. Whatever it is, the phone connects afterwards. */
sealed interface Arrived {
    data class Decided(val decision: NotificationDecision) : Arrived
    /** Nothing in it: it was too long for the push service and waits at the relay. */
    data object Call : Arrived
    /** Not from this home's hub for this phone, or from a newer one, or there are no keys yet. Nobody is shown anything. */
    data class Unopened(val why: String) : Arrived
}

/** Opens what a push service brought: no store, no network, no lock. [open] is the library's `openNotification`. */
class PushDoor(
    private val desk: NotificationDesk,
    private val keys: () -> NotificationKeys?,
    private val open: (NotificationKeys, ByteArray, Long) -> Notification,
    private val show: (NotificationDecision) -> Unit,
) {
    fun arrived(payload: ByteArray, nowMs: Long): Arrived {
        if (payload.isEmpty()) return Arrived.Call
        val keys = keys() ?: return Arrived.Unopened("no keys yet")
        return try {
            Arrived.Decided(desk.deliver(open(keys, payload, nowMs), show))
        } catch (error: CoreException) {
            Arrived.Unopened(advice(error).text)
        }
    }
}
