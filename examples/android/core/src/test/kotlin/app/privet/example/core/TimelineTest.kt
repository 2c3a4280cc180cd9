package app.privet.example.core

import app.privet.ClipInfo
import app.privet.CoreException
import app.privet.Event
import app.privet.Page
import java.time.LocalDate
import java.time.ZoneOffset
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class TimelineTest {
    private class Archive(var clips: List<ClipInfo>) : FakeHome() {
        val asked = ArrayList<Pair<String?, Int>>()
        override suspend fun clips(cameraId: String?, page: String?, limit: Int): Page {
            asked += page to limit
            val from = page?.toInt() ?: 0
            val to = minOf(clips.size, from + limit)
            return Page(clips.subList(from, to), if (to < clips.size) "$to" else null)
        }
    }

    private val archive = Archive((120 downTo 1).map { clip("$it") })
    private val timeline = Timeline(archive)
    private fun ids() = timeline.state.value.clips.map { it.id.toInt() }

    @Test
    fun `page after page until the end, and not once more`() = runBlocking {
        repeat(5) { timeline.more() }
        assertEquals((120 downTo 1).toList(), ids())
        assertTrue(timeline.state.value.whole)
        assertEquals(listOf(null to 50, "50" to 50, "100" to 50), archive.asked)
    }

    @Test
    fun `a new clip comes in front, and what was open stays open`() = runBlocking {
        repeat(2) { timeline.more() }
        archive.clips = listOf(clip("121")) + archive.clips
        timeline.on(Event.ClipReady("121", "gate"))
        assertEquals((121 downTo 22).toList(), ids())
        timeline.more()
        assertEquals((121 downTo 1).toList(), ids())
    }

    @Test
    fun `what the hub forgot is gone, and other events change nothing`() = runBlocking {
        timeline.more()
        timeline.on(Event.ClipsForgotten(listOf("120", "118")))
        assertEquals(listOf(119, 117), ids().take(2))
        timeline.on(Event.WishesChanged)
        assertEquals(1, archive.asked.size)
    }

    @Test
    fun `a failure leaves what is there`() = runBlocking {
        timeline.more()
        val offline = Timeline(FakeHome())
        offline.more()
        assertEquals(Then.PAIR_ANEW, offline.state.value.problem!!.then)
        assertFalse(offline.state.value.whole)
        assertEquals(advice(CoreException.NotPaired()), offline.state.value.problem)
    }

    @Test
    fun `a heading wherever the day changes, also when a clock went back`() {
        val day = 86_400_000L
        val rows = TimelineState(listOf(clip("d", 2 * day), clip("c", day + 1), clip("b", 2 * day), clip("a", 2 * day - 1))).rows(ZoneOffset.UTC)
        val told = rows.map { if (it is Row.Day) "${it.date}" else (it as Row.Recorded).clip.id }
        val (first, second) = LocalDate.of(1970, 1, 2) to LocalDate.of(1970, 1, 3)
        assertEquals(listOf("$second", "d", "$first", "c", "$second", "b", "$first", "a"), told)
    }
}
