package app.privet.example.core

/**
 * A clip as a player reads it: open at a position, read on, open elsewhere. This is Media3's `DataSource` without Media3. Reads
 * block until the bytes are fetched and verified, and throw a [app.privet.CoreException] rather than give any that are not.
 */
class ClipBytes(private val recording: Recording) {
    private var position = 0L
    private var end = Long.MAX_VALUE
    private var window = ByteArray(0)
    private var windowAt = 0L

    /** How many bytes follow, or [UNKNOWN] while the clip is still being fetched. */
    fun open(position: Long, length: Long = UNKNOWN): Long {
        val whole = recording.length()
        if (position < 0 || (whole != null && position > whole)) throw OutOfRange(position, whole)
        this.position = position
        end = if (length == UNKNOWN) whole ?: Long.MAX_VALUE else minOf(position + length, whole ?: Long.MAX_VALUE)
        return if (end == Long.MAX_VALUE) UNKNOWN else end - position
    }

    /** At least one byte, or [END]. */
    fun read(into: ByteArray, offset: Int, length: Int): Int {
        if (length == 0) return 0
        if (position >= end) return END
        if (position !in windowAt until windowAt + window.size) {
            // Players ask for a few kilobytes at a time; a call across the border is worth more.
            window = recording.readAt(position, WINDOW)
            windowAt = position
            if (window.isEmpty()) return END
        }
        val from = (position - windowAt).toInt()
        val count = minOf(length.toLong(), (window.size - from).toLong(), end - position).toInt()
        window.copyInto(into, offset, from, from + count)
        position += count
        return count
    }

    class OutOfRange(position: Long, length: Long?) : Exception("position $position of $length")

    companion object {
        /** As in Media3: `C.LENGTH_UNSET`, `C.RESULT_END_OF_INPUT`. */
        const val UNKNOWN = -1L
        const val END = -1
        const val WINDOW = 256 * 1024
    }
}
