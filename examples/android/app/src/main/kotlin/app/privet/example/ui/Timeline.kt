package app.privet.example.ui

import android.graphics.BitmapFactory
import androidx.compose.foundation.Image
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.ListItem
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.produceState
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import app.privet.ClipInfo
import app.privet.CoreException
import app.privet.Trust
import app.privet.example.Place
import app.privet.example.core.Home
import app.privet.example.core.HomeModel
import app.privet.example.core.Row
import app.privet.example.core.Timeline
import java.time.ZoneId

@Composable
fun TimelineScreen(home: Home, model: HomeModel, cameraId: String?, go: (Place) -> Unit) {
    val timeline = remember(home, cameraId) { Timeline(home, cameraId) }
    val state by timeline.state.collectAsStateWithLifecycle()
    LaunchedEffect(timeline) { model.events.collect { timeline.on(it) } }
    LazyColumn {
        items(state.rows(ZoneId.systemDefault())) { row ->
            when (row) {
                is Row.Day -> Heading("${row.date}")
                is Row.Recorded -> Recorded(home, row.clip, go)
            }
        }
        item {
            // Comes on the screen when all before it was scrolled through.
            if (!state.whole) LaunchedEffect(state.next) { timeline.more() }
            state.problem?.let { Text(it.text) }
        }
    }
}

@Composable
private fun Recorded(home: Home, clip: ClipInfo, go: (Place) -> Unit) {
    val open = if (clip.finished) Modifier.clickable { go(Place.Clip(clip.id)) } else Modifier
    val signed = if (clip.trust is Trust.Verified) "checked" else null
    val kept = if (clip.notes?.pinned == true) "kept" else null
    ListItem(
        modifier = open,
        leadingContent = { Thumbnail(home, clip) },
        headlineContent = { Text(clock(clip.startMs)) },
        supportingContent = {
            val length = if (clip.finished) "${clip.durationMs / 1000u} s" else "is being recorded"
            Text((listOfNotNull(length, signed, kept) + clip.notes?.zones.orEmpty()).joinToString(", "))
        },
    )
}

@Composable
private fun Thumbnail(home: Home, clip: ClipInfo) {
    val picture by produceState<android.graphics.Bitmap?>(null, clip.id, clip.notes?.thumbnail) {
        if (clip.notes?.thumbnail == true) value = try {
            home.thumbnail(clip.id)?.let { BitmapFactory.decodeByteArray(it.bytes, 0, it.bytes.size) }
        } catch (_: CoreException) {
            null
        }
    }
    picture?.let { Image(it.asImageBitmap(), contentDescription = null, Modifier.size(96.dp, 54.dp)) }
}
