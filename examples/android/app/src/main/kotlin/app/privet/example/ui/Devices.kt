package app.privet.example.ui

import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.ListItem
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import app.privet.Device
import app.privet.example.core.Home
import app.privet.example.core.HomeModel
import app.privet.example.core.Said
import app.privet.example.core.say
import kotlinx.coroutines.launch

@Composable
fun DevicesScreen(home: Home, model: HomeModel) {
    val state by model.state.collectAsStateWithLifecycle()
    var devices by remember { mutableStateOf(emptyList<Device>()) }
    var number by remember { mutableStateOf("") }
    var leaving by remember { mutableStateOf<Device?>(null) }
    var said by remember { mutableStateOf<Said>(Said.Kept) }
    val scope = rememberCoroutineScope()
    // Read again when somebody came or went.
    LaunchedEffect(state.news) {
        said = say {
            devices = home.devices()
            number = home.safetyNumber()
        }
    }
    LazyColumn {
        item { Heading("Phones of this home") }
        items(devices, key = { it.id }) { device ->
            ListItem(
                overlineContent = { Text(device.fingerprint) },
                headlineContent = { Text(if (device.thisDevice) "${device.name} (this one)" else device.name) },
                supportingContent = { Text("since ${date(device.addedMs)}" + device.lastSeenMs?.let { ", seen ${date(it)}" }.orEmpty()) },
                trailingContent = { TextButton({ leaving = device }) { Text("Remove") } },
            )
        }
        item { ListItem(overlineContent = { Text("The hub shows the same number for this phone") }, headlineContent = { Text(number) }) }
        item { Told(said) }
    }
    leaving?.let { device ->
        AlertDialog(
            onDismissRequest = { leaving = null },
            title = { Text("Remove ${device.name}?") },
            text = { Text("It will see nothing that is recorded from then on. To come back it has to scan a code at the hub.") },
            confirmButton = {
                TextButton({
                    leaving = null
                    scope.launch { said = say { home.removeDevice(device.id); devices = home.devices() } }
                }) { Text("Remove") }
            },
            dismissButton = { TextButton({ leaving = null }) { Text("Keep") } },
        )
    }
}

@Composable
fun Told(said: Said) = when (said) {
    is Said.Kept -> {}
    is Said.Waits -> Text("Waits: ${said.where}")
    is Said.Failed -> Text(listOf(said.advice.text, said.advice.detail).filter { it.isNotEmpty() }.joinToString(" "))
}
