package app.privet.example.ui

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.ListItem
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import app.privet.example.Place
import app.privet.example.core.HomeState
import app.privet.example.core.explain

@Composable
fun CamerasScreen(state: HomeState, go: (Place) -> Unit) = LazyColumn {
    item {
        Row(Modifier.fillMaxWidth()) {
            TextButton({ go(Place.Timeline(null)) }) { Text("Clips") }
            TextButton({ go(Place.Devices) }) { Text("Phones") }
            TextButton({ go(Place.Settings) }) { Text("Settings") }
        }
    }
    state.status?.let { status ->
        item {
            ListItem(
                headlineContent = { Text(status.hubName) },
                supportingContent = { Text(listOfNotNull(explain(status.link), status.linkReason).joinToString(": ")) },
            )
        }
        // What could not be trusted is said here, not in a menu.
        items(status.alerts.reversed().take(3)) { ListItem(overlineContent = { Text(date(it.atMs)) }, headlineContent = { Text(it.what) }) }
    }
    items(state.news.reversed()) { ListItem(headlineContent = { Text(it) }) }
    item { Heading("Cameras") }
    items(state.cameras, key = { it.id }) { camera ->
        ListItem(
            modifier = Modifier.clickable { go(Place.Live(camera.id)) },
            headlineContent = { Text(camera.name) },
            supportingContent = { Text(if (camera.online) "Live" else "Offline: clips are there") },
            trailingContent = { TextButton({ go(Place.Timeline(camera.id)) }) { Text("Clips") } },
        )
    }
    item { Heading("Lately") }
    items(state.lately, key = { it.id }) { event ->
        val open = event.clipId?.let { id -> Modifier.clickable { go(Place.Clip(id)) } } ?: Modifier
        ListItem(
            modifier = open,
            overlineContent = { Text(date(event.atMs)) },
            headlineContent = { Text(event.title) },
            supportingContent = { if (event.body.isNotEmpty()) Text(event.body) },
        )
    }
}
