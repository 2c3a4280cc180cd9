package app.privet.example.core

import app.privet.Camera
import app.privet.Client
import app.privet.Clip
import app.privet.Device
import app.privet.Event
import app.privet.EventInfo
import app.privet.EventListener
import app.privet.Live
import app.privet.LiveFormat
import app.privet.LiveItem
import app.privet.NotificationKeys
import app.privet.Page
import app.privet.PairingOffer
import app.privet.Profile
import app.privet.PushInfo
import app.privet.PushTarget
import app.privet.Settings
import app.privet.SettingsState
import app.privet.Status
import app.privet.Thumbnail
import app.privet.Trust
import app.privet.VerifyReport
import kotlinx.coroutines.runBlocking

/**
 * What the app asks of a home. Screens and tests know only this; [PrivetHome] is the one place that knows the library.
 * Every call may throw a [app.privet.CoreException]; [advice] says what to tell the person.
 */
interface Home {
    fun offer(qr: String): Offer
    suspend fun pair(offer: Offer)
    suspend fun safetyNumber(): String

    suspend fun status(): Status
    suspend fun cameras(): List<Camera>
    suspend fun clips(cameraId: String?, page: String?, limit: Int): Page
    suspend fun happened(limit: Int): List<EventInfo>
    suspend fun thumbnail(clipId: String): Thumbnail?
    suspend fun openClip(clipId: String): Recording
    suspend fun openLive(cameraId: String): LiveSource
    suspend fun pin(clipId: String, pinned: Boolean)

    suspend fun devices(): List<Device>
    suspend fun rename(name: String)
    suspend fun removeDevice(deviceId: String)

    suspend fun settings(): SettingsState
    suspend fun setSettings(settings: Settings)
    suspend fun setProfile(profile: Profile)
    suspend fun snooze(cameraId: String?, untilMs: Long?)

    suspend fun pushInfo(): PushInfo
    suspend fun registerPush(target: PushTarget)
    suspend fun notificationKeys(): NotificationKeys
    suspend fun notificationShown(eventId: String)

    fun listen(listener: ((Event) -> Unit)?)
    suspend fun nextEvent(waitMs: Int): Event?
    suspend fun waitSynced(waitMs: Int): Boolean
    fun networkChanged()

    /** Lets go of the store: afterwards the system may freeze this process. */
    suspend fun background(withinMs: Int)
    suspend fun foreground()
}

/** What a QR code says. */
data class Offer(val qr: String, val relay: String, val hubFingerprint: String, val expiresMs: Long)

/** A live view: [next] waits at most so long and is for a thread of its own; [stop] ends any wait. */
interface LiveSource {
    fun next(waitMs: Int): LiveItem
    fun stop()
}

/** A finished clip: [readAt] gives verified bytes, fetches what is missing, and is for a player's loader thread. */
interface Recording {
    /** Pending while it is fetched, Verified when all of it is here and was checked. */
    fun trust(): Trust

    /** Its length; known only when all of it is here. Blocks for a moment, not for the network. */
    fun length(): Long?
    fun readAt(position: Long, max: Int): ByteArray
    suspend fun verify(): VerifyReport
    suspend fun exportTo(path: String, withEvidence: Boolean)
    fun stop()
}

class PrivetHome(private val client: Client) : Home {
    override fun offer(qr: String) =
        PairingOffer.parse(qr).use { Offer(qr, it.relay(), it.hubFingerprint(), it.expiresMs()) }

    override suspend fun pair(offer: Offer) = PairingOffer.parse(offer.qr).use { client.pair(it) }
    override suspend fun safetyNumber() = client.safetyNumber()

    override suspend fun status() = client.status()
    override suspend fun cameras() = client.cameras()
    override suspend fun clips(cameraId: String?, page: String?, limit: Int) =
        client.clips(cameraId, 0, Long.MAX_VALUE, page, limit.toUInt())

    override suspend fun happened(limit: Int) = client.events(null, 0, Long.MAX_VALUE, null, limit.toUInt()).events

    override suspend fun thumbnail(clipId: String) = client.thumbnail(clipId)
    override suspend fun openClip(clipId: String): Recording = PrivetRecording(client.openClip(clipId))
    override suspend fun openLive(cameraId: String): LiveSource =
        PrivetLive(client.openLive(cameraId, LiveFormat.ACCESS_UNITS, LIVE_BUFFER_MS))

    override suspend fun pin(clipId: String, pinned: Boolean) = client.pin(clipId, pinned)

    override suspend fun devices() = client.devices()
    override suspend fun rename(name: String) = client.rename(name)
    override suspend fun removeDevice(deviceId: String) = client.removeDevice(deviceId)

    override suspend fun settings() = client.settings()
    override suspend fun setSettings(settings: Settings) = client.setSettings(settings)
    override suspend fun setProfile(profile: Profile) = client.setProfile(profile)
    override suspend fun snooze(cameraId: String?, untilMs: Long?) = client.snooze(cameraId, untilMs)

    override suspend fun pushInfo() = client.pushInfo()
    override suspend fun registerPush(target: PushTarget) = client.registerPush(target)
    override suspend fun notificationKeys() = client.notificationKeys()
    override suspend fun notificationShown(eventId: String) = client.notificationShown(eventId)

    override fun listen(listener: ((Event) -> Unit)?) = client.setListener(
        listener?.let { tell -> object : EventListener { override fun onEvent(event: Event) = tell(event) } },
    )

    override suspend fun nextEvent(waitMs: Int) = client.nextEvent(waitMs.toUInt())
    override suspend fun waitSynced(waitMs: Int) = client.waitSynced(waitMs.toUInt())
    override fun networkChanged() = client.networkChanged()
    override suspend fun background(withinMs: Int) = client.background(withinMs.toUInt())
    override suspend fun foreground() = client.foreground()
}

/** How late the screen may be before pictures are dropped and told as a gap. */
private val LIVE_BUFFER_MS = 800u

private class PrivetLive(private val live: Live) : LiveSource {
    override fun next(waitMs: Int) = live.nextBlocking(waitMs.toUInt())
    override fun stop() = live.stop()
}

private class PrivetRecording(private val clip: Clip) : Recording {
    override fun trust() = clip.info().trust
    override fun length() = if (clip.info().local) runBlocking { clip.len().toLong() } else null
    override fun readAt(position: Long, max: Int) = clip.readAt(position.toULong(), max.toUInt())
    override suspend fun verify() = clip.verify()
    override suspend fun exportTo(path: String, withEvidence: Boolean) = clip.exportTo(path, withEvidence)
    override fun stop() = clip.stop()
}
