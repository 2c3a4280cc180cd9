package app.privet.example.ui

import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.ListItem
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import app.privet.Profile
import app.privet.Settings
import app.privet.SettingsState
import app.privet.example.core.Home
import app.privet.example.core.HomeState
import app.privet.example.core.Said
import app.privet.example.core.say
import kotlinx.coroutines.launch

@Composable
fun SettingsScreen(home: Home, state: HomeState) {
    var settings by remember { mutableStateOf<SettingsState?>(null) }
    var push by remember { mutableStateOf("") }
    var name by remember { mutableStateOf("") }
    var said by remember { mutableStateOf<Said>(Said.Kept) }
    val scope = rememberCoroutineScope()
    LaunchedEffect(state) {
        said = say {
            settings = home.settings()
            if (name.isEmpty()) name = home.devices().find { it.thisDevice }?.name.orEmpty()
        }
    }
    LaunchedEffect(Unit) { say { push = home.pushInfo().let { if (it.registered) "woken through ${it.target}" else "not woken while asleep" } } }
    // The wish, then what the hub makes of it: it may be kept, wait for the hub, or be refused.
    fun wish(work: suspend () -> Unit) = scope.launch {
        said = say(work)
        say { settings = home.settings() }
    }
    val kept = settings ?: return Waiting("Reading")
    val wanted: Settings = kept.pending ?: kept.kept
    LazyColumn {
        item { Told(said) }
        if (kept.pending != null) item { Text("Waits for the hub", Modifier.padding(16.dp)) }
        item { Heading("This phone") }
        item {
            OutlinedTextField(name, { name = it }, Modifier.padding(horizontal = 16.dp), label = { Text("Its name") })
            TextButton({ wish { home.rename(name) } }) { Text("Rename") }
        }
        item { Heading("Tell me of motion") }
        item { Choice("Only when nobody is at home", wanted.awayOnly) { wish { home.setSettings(wanted.copy(awayOnly = it)) } } }
        items(state.cameras, key = { it.id }) { camera ->
            val mine = wanted.cameras.find { it.cameraId == camera.id }
            if (mine != null) Choice(camera.name, mine.notify) { on ->
                val cameras = wanted.cameras.map { if (it.cameraId == camera.id) it.copy(notify = on) else it }
                wish { home.setSettings(wanted.copy(cameras = cameras)) }
            }
        }
        item {
            Button({ wish { home.snooze(null, System.currentTimeMillis() + HOUR_MS) } }, Modifier.padding(16.dp)) { Text("Quiet for an hour") }
            TextButton({ wish { home.snooze(null, null) } }) { Text("No longer quiet") }
        }
        item { Heading("This home") }
        item {
            Choice("Somebody is at home", wanted.profile != Profile.AWAY) { there ->
                wish { home.setProfile(if (there) Profile.HOME else Profile.AWAY) }
            }
        }
        state.status?.let { status ->
            item { Heading("How it is") }
            val facts = listOfNotNull(
                "Relay ${status.relay}",
                push.ifEmpty { null },
                status.notifications,
                "${status.cacheBytes / (1024uL * 1024uL)} MiB of clips here",
                status.hubSeenMs?.let { "The hub was heard of at ${date(it)}" },
            )
            items(facts) { ListItem(headlineContent = { Text(it) }) }
            items(status.alerts.reversed()) { ListItem(overlineContent = { Text(date(it.atMs)) }, headlineContent = { Text(it.what) }) }
        }
    }
}

@Composable
private fun Choice(what: String, on: Boolean, set: (Boolean) -> Unit) =
    ListItem(headlineContent = { Text(what) }, trailingContent = { Switch(on, set) })

private const val HOUR_MS = 3_600_000L
