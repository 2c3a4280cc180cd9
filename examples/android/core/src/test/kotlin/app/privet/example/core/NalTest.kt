package app.privet.example.core

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test

/** An avcC with one SPS (67 64 00) and one PPS (68 ee), lengths in four bytes. */
val AVCC = bytes(1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 0x64, 0, 1, 0, 2, 0x68, 0xee)

fun bytes(vararg values: Int) = ByteArray(values.size) { values[it].toByte() }

class NalTest {
    @Test
    fun `an avcC is SPS and PPS with start codes`() {
        val format = VideoFormat.of("avc1.64001f", 1280, 720, AVCC)
        assertEquals("video/avc", format.mime)
        assertArrayEquals(bytes(0, 0, 0, 1, 0x67, 0x64, 0), format.parameters[0])
        assertArrayEquals(bytes(0, 0, 0, 1, 0x68, 0xee), format.parameters[1])
    }

    @Test
    fun `an hvcC is one buffer of all parameter sets`() {
        val head = ByteArray(22).also { it[0] = 1; it[21] = 0x0f }
        val arrays = bytes(2, 0xa0, 0, 1, 0, 2, 0x40, 1, 0xa1, 0, 1, 0, 1, 0x42)
        val format = VideoFormat.of("hvc1.1.6.L93.B0", 1280, 720, head + arrays)
        assertEquals("video/hevc", format.mime)
        assertArrayEquals(bytes(0, 0, 0, 1, 0x40, 1, 0, 0, 0, 1, 0x42), format.parameters.single())
        assertEquals(4, format.lengthSize)
    }

    @Test
    fun `units get start codes instead of lengths, whatever the lengths' size`() {
        val format = VideoFormat.of("avc1.64001f", 1280, 720, AVCC)
        val unit = bytes(0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41)
        assertArrayEquals(bytes(0, 0, 0, 1, 0x65, 1, 0, 0, 0, 1, 0x41), format.annexB(unit))
        val short = VideoFormat.of("avc1.64001f", 1280, 720, AVCC.copyOf().also { it[4] = 0xfd.toByte() })
        assertArrayEquals(bytes(0, 0, 0, 1, 0x65, 1), short.annexB(bytes(0, 2, 0x65, 1)))
    }

    @Test
    fun `what is cut off anywhere is refused and reads nothing beyond its end`() {
        for (size in 0 until AVCC.size) {
            assertThrows(IllegalArgumentException::class.java) { VideoFormat.of("avc1.64001f", 1, 1, AVCC.copyOf(size)) }
        }
        val format = VideoFormat.of("avc1.64001f", 1, 1, AVCC)
        for (unit in listOf(bytes(0, 0, 0), bytes(0, 0, 0, 2, 0x65), bytes(0xff, 0xff, 0xff, 0xff, 1), bytes(0, 0, 0, 0))) {
            assertThrows(IllegalArgumentException::class.java) { format.annexB(unit) }
        }
        assertThrows(IllegalArgumentException::class.java) { VideoFormat.of("av01.0.04M.08", 1, 1, AVCC) }
    }
}
