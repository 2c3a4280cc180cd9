package app.privet.example.core

import app.privet.ClipInfo
import app.privet.CoreException
import app.privet.Event
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

sealed interface Row {
    data class Day(val date: LocalDate) : Row
    data class Recorded(val clip: ClipInfo) : Row
}

data class TimelineState(
    val clips: List<ClipInfo> = emptyList(),
    val next: String? = null,
    val loaded: Boolean = false,
    val problem: Advice? = null,
) {
    /** Nothing follows. */
    val whole get() = loaded && next == null

    /**
     * With a heading wherever the day changes. The order is the home's log, never sorted by time: a hub's clock can be set back,
     * and then a day stands there twice, as it happened.
     */
    fun rows(zone: ZoneId): List<Row> {
        var day: LocalDate? = null
        return clips.flatMap { clip ->
            val date = Instant.ofEpochMilli(clip.startMs).atZone(zone).toLocalDate()
            val row = Row.Recorded(clip)
            if (date == day) listOf(row) else listOf(Row.Day(date).also { day = date }, row)
        }
    }
}

/** The clips of a camera, or of all, page by page, newest first. */
class Timeline(private val home: Home, private val cameraId: String? = null) {
    private val now = MutableStateFlow(TimelineState())
    val state: StateFlow<TimelineState> = now.asStateFlow()
    private val turn = Mutex()

    /** The next page; nothing at the end. */
    suspend fun more() = turn.withLock { if (!now.value.whole) load(now.value.next, PAGE, now.value.clips) }

    /** As much as is on the screen once more, and what is new before it. */
    suspend fun refresh() = turn.withLock { load(null, now.value.clips.size.coerceIn(PAGE, MOST), emptyList()) }

    /** Whether it had to do with clips is decided here, so a screen passes on every event. */
    suspend fun on(event: Event) {
        when (event) {
            is Event.ClipStarted, is Event.ClipReady, is Event.ClipNotes, is Event.Missed -> refresh()
            is Event.ClipsForgotten -> {
                val gone = event.clipIds.toSet()
                turn.withLock { now.update { state -> state.copy(clips = state.clips.filter { it.id !in gone }) } }
            }
            else -> {}
        }
    }

    private suspend fun load(page: String?, limit: Int, before: List<ClipInfo>) = try {
        val got = home.clips(cameraId, page, limit)
        now.value = TimelineState(before + got.clips, got.next, loaded = true)
    } catch (error: CoreException) {
        now.update { it.copy(problem = advice(error)) }
    }

    private companion object {
        const val PAGE = 50
        /** What the library gives at most. */
        const val MOST = 500
    }
}
