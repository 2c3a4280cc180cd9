package app.privet.example.core

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test

class ClipBytesTest {
    private val film = ByteArray(600_000) { (it * 31 shr 3).toByte() }
    private val recording = FakeRecording(film)
    private val source = ClipBytes(recording)

    private fun rest(step: Int = 7_919): ByteArray {
        val out = java.io.ByteArrayOutputStream()
        val buffer = ByteArray(step + 3)
        while (true) {
            val count = source.read(buffer, 3, step)
            if (count == ClipBytes.END) return out.toByteArray()
            out.write(buffer, 3, count)
        }
    }

    @Test
    fun `from any position to the end, in large pieces`() {
        for (position in listOf(0, 1, 262_144, 599_999, 600_000)) {
            assertEquals(600_000L - position, source.open(position.toLong()))
            assertArrayEquals(film.copyOfRange(position, film.size), rest())
        }
        recording.reads.clear()
        source.open(0)
        rest()
        assertEquals(3, recording.reads.size)
    }

    @Test
    fun `no more than was asked for`() {
        assertEquals(10L, source.open(100, 10))
        assertArrayEquals(film.copyOfRange(100, 110), rest())
        assertEquals(5L, source.open(599_995, 10))
        assertEquals(5, rest().size)
    }

    @Test
    fun `a clip that is still fetched has no length, and an end all the same`() {
        recording.here = false
        assertEquals(ClipBytes.UNKNOWN, source.open(599_990))
        assertEquals(10, rest().size)
        assertEquals(ClipBytes.UNKNOWN, source.open(700_000))
        assertEquals(0, rest().size)
    }

    @Test
    fun `a position that is none is refused`() {
        assertThrows(ClipBytes.OutOfRange::class.java) { source.open(600_001) }
        assertThrows(ClipBytes.OutOfRange::class.java) { source.open(-1) }
    }

    @Test
    fun `a read of nothing is nothing, not the end`() {
        source.open(600_000)
        assertEquals(0, source.read(ByteArray(1), 0, 0))
    }
}
