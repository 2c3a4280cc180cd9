// Finished recordings: random access to verified bytes, films with and without their proof.
package app.privet.tests

import app.privet.*
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.Random
import kotlin.experimental.xor
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class ClipsTest : AtHome() {
    private suspend fun Clip.whole(): ByteArray {
        val data = ByteArrayOutputStream()
        while (true) {
            val piece = read(data.size().toULong(), 4u shl 20)
            if (piece.isEmpty()) return data.toByteArray()
            data.write(piece)
        }
    }

    /** Exactly so many bytes: a read may give fewer than it was asked for. */
    private fun Clip.readTo(at: Int, count: Int): ByteArray {
        val data = ByteArrayOutputStream()
        while (data.size() < count) {
            val piece = readAt((at + data.size()).toULong(), (count - data.size()).toUInt())
            check(piece.isNotEmpty()) { "the end comes before the clip's length" }
            data.write(piece)
        }
        return data.toByteArray()
    }

    @Test
    fun `random access gives what reading in order gives`() = bounded {
        val client = phone("reader").pair()
        val clip = client.openClip(client.finishedClip().id)
        // A player reads here and there before all of it was fetched.
        assertEquals("ftyp", String(clip.read(0u, 8u), 4, 4))
        val length = clip.len().toInt()
        val data = clip.whole()
        assertEquals(length, data.size)
        assertTrue(clip.progress().let { it.ready == it.segments && it.segments > 1u }, "a clip of one segment has no borders to read across")
        val chance = Random(7)
        withContext(Dispatchers.IO) {
            // Long and short pieces: with a thousand of them, every border between segments is crossed.
            repeat(1000) {
                val at = chance.nextInt(length)
                val count = minOf(listOf(1, 17, 4096, 300_000)[chance.nextInt(4)], length - at)
                assertArrayEquals(data.copyOfRange(at, at + count), clip.readTo(at, count))
            }
        }
        assertTrue(clip.read(length.toULong(), 10u).isEmpty())
        clip.stop()
    }

    @Test
    fun `a film with its proof convinces who never was in the home`() = bounded {
        val client = phone("exporter").pair()
        val known = client.finishedClip()
        val clip = client.openClip(known.id)
        assertTrue(clip.verify().let { it.ok && it.signerKnown && it.framesChecked > 0u })
        val proven = File(folder, "proven.mp4")
        val bare = File(folder, "bare.mp4")
        clip.exportTo(proven.path, true)
        clip.exportTo(bare.path, false)
        val roots = client.trustRoots(known.cameraId)
        assertTrue(verifyFile(proven.path, roots).let { it.ok && it.signerKnown && it.segments == clip.progress().segments })
        assertFalse(verifyFile(proven.path, listOf()).signerKnown)
        fails<CoreException.Tampered> { verifyFile(bare.path, roots) }
        val film = proven.readBytes()
        val at = String(film, Charsets.ISO_8859_1).indexOf("mdat") + 100
        film[at] = film[at] xor 1
        assertFalse(verifyBytes(film, roots).ok)
        clip.stop()
    }

    @Test
    fun `what happened is listed with the clip`() = bounded {
        val client = phone("historian").pair()
        val known = client.clipOfMotion()
        val page = client.events(null, 0, EVER, null, 50u)
        assertTrue(page.events.any { it.kind == "motion" && it.clipId == known.id }, "$page")
    }

    @Test
    fun `pages hold each clip once`() = bounded {
        val client = phone("pager").pair()
        client.finishedClip(setOf(client.finishedClip().id))
        val every = client.clips(null, 0, EVER, null, 500u).clips.map { it.id }
        val paged = mutableListOf<String>()
        var page: String? = null
        do {
            val part = client.clips(null, 0, EVER, page, 1u)
            paged += part.clips.map { it.id }
            page = part.next
        } while (page != null)
        // A recording may have begun meanwhile.
        assertEquals(every, paged.filter { it in every })
    }

    @Test
    fun `arguments that make no sense are refused`() = bounded {
        val client = phone("confused").pair()
        fails<CoreException.NotFound> { client.openClip("00".repeat(16)) }
        fails<CoreException.Invalid> { client.clips(null, 0, EVER, "no page of ours", 10u) }
    }
}
