package app.privet.example.core

import app.privet.Camera
import app.privet.ClipInfo
import app.privet.CoreException
import app.privet.Device
import app.privet.Event
import app.privet.EventInfo
import app.privet.LinkState
import app.privet.LiveItem
import app.privet.Notification
import app.privet.NotificationKeys
import app.privet.Page
import app.privet.Profile
import app.privet.PushInfo
import app.privet.PushTarget
import app.privet.Settings
import app.privet.SettingsState
import app.privet.Status
import app.privet.Thumbnail
import app.privet.Trust
import app.privet.VerifyReport

/** A home in which nothing is possible; a test overrides what it is about. */
open class FakeHome : Home {
    var listener: ((Event) -> Unit)? = null

    override fun offer(qr: String): Offer = none()
    override suspend fun pair(offer: Offer): Unit = none()
    override suspend fun safetyNumber(): String = none()
    override suspend fun status(): Status = none()
    override suspend fun cameras(): List<Camera> = none()
    override suspend fun clips(cameraId: String?, page: String?, limit: Int): Page = none()
    override suspend fun happened(limit: Int): List<EventInfo> = none()
    override suspend fun thumbnail(clipId: String): Thumbnail? = none()
    override suspend fun openClip(clipId: String): Recording = none()
    override suspend fun openLive(cameraId: String): LiveSource = none()
    override suspend fun pin(clipId: String, pinned: Boolean): Unit = none()
    override suspend fun devices(): List<Device> = none()
    override suspend fun rename(name: String): Unit = none()
    override suspend fun removeDevice(deviceId: String): Unit = none()
    override suspend fun settings(): SettingsState = none()
    override suspend fun setSettings(settings: Settings): Unit = none()
    override suspend fun setProfile(profile: Profile): Unit = none()
    override suspend fun snooze(cameraId: String?, untilMs: Long?): Unit = none()
    override suspend fun pushInfo(): PushInfo = none()
    override suspend fun registerPush(target: PushTarget): Unit = none()
    override suspend fun notificationKeys(): NotificationKeys = none()
    override suspend fun notificationShown(eventId: String): Unit = none()
    override fun listen(listener: ((Event) -> Unit)?) { this.listener = listener }
    override suspend fun nextEvent(waitMs: Int): Event? = none()
    override suspend fun waitSynced(waitMs: Int): Boolean = none()
    override fun networkChanged(): Unit = none()
    override suspend fun background(withinMs: Int): Unit = none()
    override suspend fun foreground(): Unit = none()

    private fun none(): Nothing = throw CoreException.NotPaired()
}

fun status(paired: Boolean = true) = Status(
    paired = paired, removed = false, hubName = "Hub", relay = "relay.example:4433", link = LinkState.RELAY, linkReason = null,
    caughtUp = true, position = 1uL, relayHead = 1uL, hubSeenMs = null, outbox = 0uL, alerts = emptyList(), cacheBytes = 0uL, notifications = null,
)

fun camera(id: String, online: Boolean = true) = Camera(id, "Gate", online, 1280u, 720u, "avc1.64001f", "ab12 cd34")

fun clip(id: String, startMs: Long = 0) = ClipInfo(
    id = id, cameraId = "gate", startMs = startMs, durationMs = 1_000uL, bytes = 1uL, firstSegment = 0uL, finished = true,
    local = false, trust = Trust.Pending, notes = null,
)

fun notification(
    eventId: String, counter: Long = 1, title: String = "Gate: motion", severity: String = "info", stale: Boolean = false, body: String = "",
) = Notification(
    eventId = eventId, title = title, body = body, text = title, kind = "motion", severity = severity, home = "Ann's home",
    camera = "Gate", cameraId = null, clipId = null, zones = emptyList(), atMs = 0, late = false, stale = stale,
    counter = counter.toULong(), picture = null,
)

/** Gives what it was given, then says that the app stopped it. */
class Script(vararg items: LiveItem) : LiveSource {
    private val left = ArrayDeque(items.toList())
    var stopped = false

    override fun next(waitMs: Int) = left.removeFirstOrNull() ?: throw CoreException.Stopped()
    override fun stop() { stopped = true }
}

class FakeRecording(private val bytes: ByteArray, var here: Boolean = true) : Recording {
    val reads = ArrayList<Pair<Long, Int>>()

    override fun trust() = Trust.Pending
    override fun length() = bytes.size.toLong().takeIf { here }
    override fun readAt(position: Long, max: Int): ByteArray {
        reads += position to max
        if (position >= bytes.size) return ByteArray(0)
        return bytes.copyOfRange(position.toInt(), minOf(bytes.size.toLong(), position + max).toInt())
    }
    override suspend fun verify(): VerifyReport = throw CoreException.Stopped()
    override suspend fun exportTo(path: String, withEvidence: Boolean) = Unit
    override fun stop() = Unit
}
