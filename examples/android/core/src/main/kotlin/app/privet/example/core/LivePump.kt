package app.privet.example.core

import app.privet.CoreException
import app.privet.GapReason
import app.privet.LiveItem
import app.privet.Track
import app.privet.Trust
import kotlin.concurrent.thread
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** A phone's decoder with its surface. All calls come from the pump's thread, the last one is [release]. */
interface Decoder {
    /** Pictures of this format follow, a key frame first. */
    fun configure(format: VideoFormat)
    fun decode(unit: ByteArray, ptsUs: Long, key: Boolean)
    /** Forgets what was not shown yet. With [blank] nothing is to be seen any more, either. */
    fun flush(blank: Boolean)
    fun release()
}

/** What can be said of the picture on the screen. */
enum class OnScreen {
    NOTHING,
    /** Sealed by the home; no piece of this view was judged yet. */
    CHECKING,
    /** All that could be judged was signed by the camera; the newest second is still to come. */
    FOLLOWING,
    /** The very picture that is seen was signed by the camera. */
    VERIFIED,
    /** A piece was not the camera's; its pictures were taken off the screen. */
    BROKEN,
}

data class Screen(
    val trust: OnScreen = OnScreen.NOTHING,
    /** Who signs, or why it is broken. */
    val why: String = "",
    /** When the hub received the picture that is seen. */
    val capturedMs: Long? = null,
    val width: Int = 0,
    val height: Int = 0,
    /** The smaller pictures, because the link is slow. */
    val substream: Boolean = false,
    /** What was not seen right before this picture. */
    val gap: GapReason? = null,
    /** Nothing came for a while. */
    val quiet: Boolean = false,
    /** Pieces of this view that were not the camera's: never goes back to none. */
    val broken: Int = 0,
    val ended: String? = null,
)

/** Carries a live view from the library to a decoder, and keeps [screen] honest. Sound is not played here. */
class LivePump(private val source: LiveSource, private val decoder: Decoder) {
    private val now = MutableStateFlow(Screen())
    val screen: StateFlow<Screen> = now.asStateFlow()

    private var format: VideoFormat? = null
    private var waitsForKey = true
    /** The frame that is seen, and those of the newest piece that was signed. */
    private var shown: ULong? = null
    private var signed: ULongRange? = null
    private var failures = 0
    private var puller: Thread? = null

    fun start() {
        puller = thread(name = "live") { run() }
    }

    /** Returns when the decoder is released: a surface may go only then. */
    fun stop() {
        source.stop()
        puller?.join()
    }

    internal fun run() = try {
        while (take(source.next(WAIT_MS))) { /* the next one */ }
    } catch (_: CoreException.Stopped) {
        // As asked.
    } catch (error: CoreException) {
        end(advice(error).text)
    } finally {
        decoder.release()
    }

    private fun take(item: LiveItem): Boolean {
        when (item) {
            is LiveItem.Format -> begin(item)
            is LiveItem.Media -> if (item.track == Track.VIDEO) show(item)
            is LiveItem.Gap -> skip(item)
            is LiveItem.Segment -> judge(item)
            is LiveItem.Idle -> now.update { it.copy(quiet = true) }
            is LiveItem.End -> end(item.reason)
        }
        return now.value.ended == null
    }

    private fun begin(item: LiveItem.Format) = guarded {
        format = null
        val new = VideoFormat.of(item.codec, item.width.toInt(), item.height.toInt(), item.header)
        format = new
        restart(new)
        now.update { it.copy(width = new.width, height = new.height, substream = item.substream) }
    }

    private fun show(item: LiveItem.Media) {
        val format = format ?: return
        if (waitsForKey && !item.key) return
        guarded {
            decoder.decode(format.annexB(item.data), item.ptsUs, item.key)
            failures = 0
            shown = item.frame
            now.update {
                it.copy(capturedMs = item.captureMs, quiet = false, gap = if (item.key && waitsForKey) it.gap else null)
            }
            waitsForKey = false
            say()
        }
    }

    private fun skip(gap: LiveItem.Gap) {
        waitsForKey = true
        // What follows may be of another stream, with numbers that other pictures had.
        signed = null
        decoder.flush(blank = false)
        // The same pictures again are nothing that was missed.
        if (gap.reason != GapReason.NEW_STREAM || gap.fromSeq < gap.toSeq) now.update { it.copy(gap = gap.reason) }
    }

    private fun judge(item: LiveItem.Segment) = when (val trust = item.trust) {
        is Trust.Verified -> {
            signed = item.firstFrame..item.lastFrame
            now.update { it.copy(why = trust.signer) }
            say()
        }
        is Trust.Broken -> {
            waitsForKey = true
            signed = null
            shown = null
            decoder.flush(blank = true)
            now.update { it.copy(trust = OnScreen.BROKEN, why = trust.why, capturedMs = null, broken = it.broken + 1) }
        }
        is Trust.Pending -> {}
    }

    private fun say() {
        val frame = shown ?: return
        val signed = signed
        val trust = when {
            signed == null -> OnScreen.CHECKING
            frame in signed -> OnScreen.VERIFIED
            else -> OnScreen.FOLLOWING
        }
        now.update { it.copy(trust = trust, why = if (trust == OnScreen.CHECKING) "" else it.why) }
    }

    /** A decoder that stumbles gets a fresh start at the next key frame; one that can't go on is not asked for ever. */
    private fun guarded(work: () -> Unit): Unit = try {
        work()
    } catch (error: RuntimeException) {
        failures += 1
        val format = format
        if (format == null || failures >= MAX_FAILURES) {
            end("The pictures can't be decoded: ${error.message}")
        } else {
            guarded { restart(format) }
        }
    }

    private fun restart(format: VideoFormat) {
        waitsForKey = true
        decoder.configure(format)
    }

    private fun end(why: String) = now.update { it.copy(ended = why) }

    private companion object {
        const val WAIT_MS = 1_000
        const val MAX_FAILURES = 5
    }
}
