package app.privet.example.core

import app.privet.CoreException
import app.privet.GapReason
import app.privet.LiveItem
import app.privet.Track
import app.privet.Trust
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class LivePumpTest {
    /** Writes down what it is asked for. */
    private class Recorder(var fails: (String) -> Boolean = { false }) : Decoder {
        val asked = ArrayList<String>()
        override fun configure(format: VideoFormat) = note("configure ${format.width}")
        override fun decode(unit: ByteArray, ptsUs: Long, key: Boolean) = note(if (key) "key $ptsUs" else "$ptsUs")
        override fun flush(blank: Boolean) = note(if (blank) "blank" else "flush")
        override fun release() = note("release")
        private fun note(what: String) {
            asked += what
            check(!fails(what)) { "codec died" }
        }
    }

    private val decoder = Recorder()
    private val verified = Trust.Verified("ab12 cd34 ef56", null)

    private fun format(width: Int = 1280, substream: Boolean = false) =
        LiveItem.Format("avc1.64001f", width.toUInt(), 720u, null, substream, AVCC)

    private fun picture(frame: Int, key: Boolean = false) = LiveItem.Media(
        Track.VIDEO, frame.toLong(), 40_000u, 1_000L + frame, frame.toULong(), key, Trust.Pending, bytes(0, 0, 0, 1, 0x65),
    )

    private fun segment(frames: IntRange, trust: Trust = verified) =
        LiveItem.Segment("s", 0uL, frames.first.toULong(), frames.last.toULong(), trust)

    private fun gap(reason: GapReason) = LiveItem.Gap(0uL, 1uL, reason)

    private fun run(vararg items: LiveItem): Screen = LivePump(Script(*items), decoder).also { it.run() }.screen.value

    @Test
    fun `pictures go to the decoder in order, a key frame first`() {
        run(format(), picture(1), picture(2, key = true), picture(3))
        assertEquals(listOf("configure 1280", "key 2", "3", "release"), decoder.asked)
    }

    @Test
    fun `after a gap nothing is decoded until a key frame, and the gap is told until the pictures go on`() {
        val seen = run(format(), picture(1, key = true), gap(GapReason.NETWORK_LOSS), picture(5), picture(6, key = true))
        assertEquals(listOf("configure 1280", "key 1", "flush", "key 6", "release"), decoder.asked)
        assertEquals(GapReason.NETWORK_LOSS, seen.gap)
        assertEquals(null, run(format(), gap(GapReason.SLOW_VIEWER), picture(6, key = true), picture(7)).gap)
    }

    @Test
    fun `a new format begins with a key frame of its own`() {
        val seen = run(format(), picture(1, key = true), format(640, substream = true), picture(2), picture(3, key = true))
        assertEquals(listOf("configure 1280", "key 1", "configure 640", "key 3", "release"), decoder.asked)
        assertTrue(seen.substream)
    }

    @Test
    fun `trust is that of the picture that is seen`() {
        assertEquals(OnScreen.NOTHING, run(format()).trust)
        assertEquals(OnScreen.CHECKING, run(format(), picture(1, key = true)).trust)
        assertEquals(OnScreen.VERIFIED, run(format(), picture(1, key = true), segment(0..1)).trust)
        val following = run(format(), picture(1, key = true), segment(0..1), picture(2))
        assertEquals(OnScreen.FOLLOWING to "ab12 cd34 ef56", following.trust to following.why)
        assertEquals(1_002L, following.capturedMs)
    }

    @Test
    fun `a broken piece leaves the screen at once and is never forgotten`() {
        val broken = Trust.Broken("a hash does not fit")
        val seen = run(format(), picture(1, key = true), segment(0..1), picture(2), segment(2..3, broken), picture(4))
        assertEquals(listOf("configure 1280", "key 1", "2", "blank", "release"), decoder.asked)
        assertEquals(OnScreen.BROKEN to "a hash does not fit", seen.trust to seen.why)
        val later = run(format(), segment(0..1, broken), picture(2, key = true), segment(2..2))
        assertEquals(OnScreen.VERIFIED to 1, later.trust to later.broken)
    }

    @Test
    fun `what comes after a gap is not vouched for by what was signed before`() {
        for (reason in GapReason.entries) {
            val seen = run(format(), picture(5, key = true), segment(0..9), gap(reason), picture(3, key = true))
            assertEquals(OnScreen.CHECKING to reason, seen.trust to seen.gap)
        }
    }

    @Test
    fun `another stream of the hub has signatures of its own, and is told only where something is missing`() {
        val again = LiveItem.Gap(3uL, 3uL, GapReason.NEW_STREAM)
        val seen = run(format(), picture(5, key = true), segment(0..9), again, picture(3, key = true))
        assertEquals(OnScreen.CHECKING to null, seen.trust to seen.gap)
        assertEquals(listOf("configure 1280", "key 5", "flush", "key 3", "release"), decoder.asked)
        assertEquals(GapReason.NEW_STREAM, run(format(), gap(GapReason.NEW_STREAM), picture(3, key = true)).gap)
    }

    @Test
    fun `a decoder that stumbles starts anew at a key frame`() {
        decoder.fails = { it == "2" }
        run(format(), picture(1, key = true), picture(2), picture(3), picture(4, key = true))
        assertEquals(listOf("configure 1280", "key 1", "2", "configure 1280", "key 4", "release"), decoder.asked)
    }

    @Test
    fun `a decoder that can't go on ends the view, and is let go of`() {
        decoder.fails = { it.startsWith("configure") }
        val seen = run(format(), picture(1, key = true))
        assertTrue(seen.ended!!.contains("codec died"))
        assertEquals("release", decoder.asked.last())
        assertTrue(run(LiveItem.Format("av01.0", 1u, 1u, null, false, bytes())).ended!!.contains("av01"))
    }

    @Test
    fun `sound is not for this decoder`() {
        val sound = LiveItem.Media(Track.AUDIO, 9, 1u, 0, 0uL, true, Trust.Pending, bytes(1))
        run(format(), sound, picture(1, key = true))
        assertEquals(listOf("configure 1280", "key 1", "release"), decoder.asked)
    }

    @Test
    fun `silence and the end are said`() {
        assertTrue(run(format(), picture(1, key = true), LiveItem.Idle).quiet)
        assertEquals("the camera was removed", run(LiveItem.End("the camera was removed")).ended)
    }

    @Test
    fun `stop returns when the decoder is released`() {
        val source = object : LiveSource {
            @Volatile var stopped = false
            override fun next(waitMs: Int): LiveItem {
                Thread.sleep(1)
                if (stopped) throw CoreException.Stopped()
                return LiveItem.Idle
            }
            override fun stop() { stopped = true }
        }
        val pump = LivePump(source, decoder)
        pump.start()
        pump.stop()
        assertEquals("release", decoder.asked.last())
    }
}
