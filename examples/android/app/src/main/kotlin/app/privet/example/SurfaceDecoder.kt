package app.privet.example

import android.media.MediaCodec
import android.media.MediaFormat
import android.view.Surface
import app.privet.example.core.Decoder
import app.privet.example.core.VideoFormat
import java.nio.ByteBuffer

/** MediaCodec, drawing each picture as soon as it is decoded: live means late pictures are worth nothing. */
class SurfaceDecoder(private val surface: Surface) : Decoder {
    private var codec: MediaCodec? = null
    private var format: VideoFormat? = null
    private val info = MediaCodec.BufferInfo()

    override fun configure(format: VideoFormat) {
        release()
        val media = MediaFormat.createVideoFormat(format.mime, format.width, format.height).apply {
            format.parameters.forEachIndexed { index, bytes -> setByteBuffer("csd-$index", ByteBuffer.wrap(bytes)) }
            setInteger(MediaFormat.KEY_LOW_LATENCY, 1)
            setInteger(MediaFormat.KEY_PRIORITY, 0)
        }
        this.format = format
        codec = MediaCodec.createDecoderByType(format.mime).also {
            it.configure(media, surface, null, 0)
            it.start()
        }
    }

    override fun decode(unit: ByteArray, ptsUs: Long, key: Boolean) {
        val codec = checkNotNull(codec) { "no decoder" }
        val index = input(codec)
        val buffer = checkNotNull(codec.getInputBuffer(index))
        check(unit.size <= buffer.capacity()) { "a picture of ${unit.size} bytes, room for ${buffer.capacity()}" }
        buffer.clear()
        buffer.put(unit)
        codec.queueInputBuffer(index, 0, unit.size, ptsUs, if (key) MediaCodec.BUFFER_FLAG_KEY_FRAME else 0)
        draw(codec)
    }

    /** A codec that is flushed right after its start loses its parameters; gaps are rare, so it is made anew. The screen covers itself. */
    override fun flush(blank: Boolean) {
        format?.let(::configure)
    }

    override fun release() {
        codec?.release()
        codec = null
    }

    /** Blocks while the decoder is busy; the library then drops what waits too long, and says so. */
    private fun input(codec: MediaCodec): Int {
        repeat(TRIES) {
            val index = codec.dequeueInputBuffer(WAIT_US)
            if (index >= 0) return index
            draw(codec)
        }
        error("the decoder takes nothing")
    }

    private fun draw(codec: MediaCodec) {
        while (true) {
            val index = codec.dequeueOutputBuffer(info, 0)
            if (index >= 0) codec.releaseOutputBuffer(index, true) else if (index == MediaCodec.INFO_TRY_AGAIN_LATER) return
        }
    }

    private companion object {
        const val WAIT_US = 10_000L
        const val TRIES = 200
    }
}
