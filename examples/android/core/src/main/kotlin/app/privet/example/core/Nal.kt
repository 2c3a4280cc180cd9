package app.privet.example.core

/**
 * From the boxed form that the library gives (an `avcC` or `hvcC` record, length-prefixed NAL units) to the one that a phone's
 * decoder takes (start codes). What does not fit is an [IllegalArgumentException]: the bytes are the camera's, and cameras err.
 */
data class VideoFormat(val mime: String, val width: Int, val height: Int, val parameters: List<ByteArray>, val lengthSize: Int) {
    /** One access unit with start codes instead of lengths. */
    fun annexB(unit: ByteArray): ByteArray {
        val nals = ArrayList<IntRange>()
        var at = 0
        while (at < unit.size) {
            val start = at + lengthSize
            require(start <= unit.size) { "a NAL unit's length is cut off" }
            val length = unit.number(at, lengthSize)
            require(length in 1..unit.size - start) { "a NAL unit of $length bytes where ${unit.size - start} are left" }
            nals += start until start + length
            at = start + length
        }
        return unit.withStartCodes(nals)
    }

    companion object {
        fun of(codec: String, width: Int, height: Int, header: ByteArray): VideoFormat = when (codec.substringBefore('.')) {
            "avc1", "avc3" -> avc(width, height, header)
            "hvc1", "hev1" -> hevc(width, height, header)
            else -> throw IllegalArgumentException("this phone's decoder is not fed with $codec")
        }

        /** ISO 14496-15, 5.3.3.1: SPS and PPS, each a buffer of the decoder's configuration. */
        private fun avc(width: Int, height: Int, header: ByteArray): VideoFormat {
            require(header.size >= 7) { "an avcC of ${header.size} bytes" }
            val (sps, after) = header.units(6, header.number(5, 1) and 0x1f)
            require(after < header.size) { "an avcC without PPS" }
            val (pps, _) = header.units(after + 1, header.number(after, 1))
            val parameters = listOf(header.withStartCodes(sps), header.withStartCodes(pps))
            return VideoFormat("video/avc", width, height, parameters, (header.number(4, 1) and 3) + 1)
        }

        /** ISO 14496-15, 8.3.3.1: all parameter sets in one buffer. */
        private fun hevc(width: Int, height: Int, header: ByteArray): VideoFormat {
            require(header.size >= 23) { "an hvcC of ${header.size} bytes" }
            val all = ArrayList<IntRange>()
            var at = 23
            repeat(header.number(22, 1)) {
                require(at + 3 <= header.size) { "an hvcC that is cut off" }
                val (units, after) = header.units(at + 3, header.number(at + 1, 2))
                all += units
                at = after
            }
            return VideoFormat("video/hevc", width, height, listOf(header.withStartCodes(all)), (header.number(21, 1) and 3) + 1)
        }
    }
}

/** So many units, each after its length in two bytes; and where they end. */
private fun ByteArray.units(from: Int, count: Int): Pair<List<IntRange>, Int> {
    var at = from
    val units = List(count) {
        require(at + 2 <= size) { "a parameter set's length is cut off" }
        val start = at + 2
        at = start + number(at, 2)
        require(at <= size) { "a parameter set is cut off" }
        start until at
    }
    return units to at
}

private fun ByteArray.number(at: Int, bytes: Int): Int =
    (at until at + bytes).fold(0) { number, index -> (number shl 8) or (this[index].toInt() and 0xff) }

private fun ByteArray.withStartCodes(units: List<IntRange>): ByteArray {
    val out = ByteArray(units.sumOf { 4 + it.last - it.first + 1 })
    var at = 0
    for (unit in units) {
        out[at + 3] = 1
        copyInto(out, at + 4, unit.first, unit.last + 1)
        at += 4 + unit.last - unit.first + 1
    }
    return out
}
