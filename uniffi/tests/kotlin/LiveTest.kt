// A camera now: pictures in order, a key frame first, and a verdict on each segment; for players and for decoders.
package app.privet.tests

import app.privet.*
import java.nio.ByteBuffer
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.flow.transformWhile
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class LiveTest : AtHome() {
    private suspend fun advances(format: LiveFormat): Pair<LiveItem.Format, List<LiveItem.Media>> {
        val client = phone("viewer $format").pair()
        // The stream is there already: a view may begin just as the hub ends that of a test before.
        val held = client.live(format)
        held.take { it.count { item -> item.verified } >= 2 }
        val live = client.live(format)
        // Two segments' verdicts: the second is of a segment that was seen from its beginning.
        val seen = live.take { it.count { item -> item.verified } >= 2 }
        val first = seen.first() as LiveItem.Format
        assertTrue(first.codec.startsWith("avc1."))
        assertEquals(640u to 360u, first.width to first.height)
        val pictures = seen.filterIsInstance<LiveItem.Media>().filter { it.track == Track.VIDEO }
        assertTrue(pictures.first().key, "decoding can begin with the first picture")
        assertTrue(pictures.all { it.trust is Trust.Pending })
        assertTrue(seen.none { it is LiveItem.Gap })
        val frames = pictures.map { it.frame }
        assertEquals((frames.first()..frames.last()).toList(), frames)
        assertTrue(pictures.zipWithNext().all { (one, next) -> one.ptsUs < next.ptsUs })
        val covered = seen.filterIsInstance<LiveItem.Segment>().filter { it.verified }
        assertTrue(frames.any { frame -> covered.any { frame in it.firstFrame..it.lastFrame } })
        assertTrue(live.stats().let { it.verified >= 2u && it.broken == 0uL })
        live.stop()
        held.stop()
        return first to pictures
    }

    @Test
    fun `players get an init segment and fragments`() = bounded {
        val (format, pictures) = advances(LiveFormat.FMP4)
        assertEquals("ftyp", String(format.header, 4, 4))
        assertTrue(pictures.all { String(it.data, 4, 4) == "moof" })
    }

    @Test
    fun `decoders get a configuration record and access units`() = bounded {
        val (format, pictures) = advances(LiveFormat.ACCESS_UNITS)
        assertEquals(1, format.header[0])
        for (picture in pictures) {
            val data = ByteBuffer.wrap(picture.data)
            // Each NAL unit stands behind four bytes of length.
            while (data.hasRemaining()) data.getInt().let { data.position(data.position() + it) }
        }
    }

    @Test
    fun `a decoder's thread pulls with the blocking twin`() = bounded {
        val live = phone("decoder").pair().live()
        val pictures = withContext(Dispatchers.IO) {
            // So many items, idle ones included: a minute at most.
            generateSequence { live.nextBlocking(1000u) }.take(60).filterIsInstance<LiveItem.Media>().take(10).toList()
        }
        assertTrue(pictures.size == 10 && pictures.first().key)
        live.stop()
    }

    @Test
    fun `a view is a flow that ends with it`() = bounded {
        val live = phone("flowing").pair().live()
        val seen = live.items().transformWhile { item ->
            emit(item)
            if (item.verified) live.stop()
            item !is LiveItem.End
        }.toList()
        assertTrue(seen.first() is LiveItem.Format && seen.any { it.verified })
        // What was stopped gives nothing more, and no error.
        assertTrue(live.items().toList().isEmpty())
    }

    @Test
    fun `a camera that goes and comes is told and shown again`() = bounded {
        val client = phone("patient").pair()
        val camera = client.camera()
        val live = client.live()
        val last = (live.items().first { it is LiveItem.Media } as LiveItem.Media).frame
        house.tell("camera", "on" to false)
        try {
            client.event<Event.CameraState> { it.cameraId == camera.id && !it.online }
        } finally {
            house.tell("camera", "on" to true)
        }
        client.event<Event.CameraState> { it.cameraId == camera.id && it.online }
        val seen = live.take { it.last().verified && (it.last() as LiveItem.Segment).firstFrame > last }
        assertTrue(seen.any { it is LiveItem.Media && it.key })
        live.stop()
    }

    @Test
    fun `an unknown camera is not found`() = bounded {
        val client = phone("wrong").pair()
        fails<CoreException.NotFound> { client.openLive("00".repeat(16), LiveFormat.FMP4, 500u) }
    }
}
