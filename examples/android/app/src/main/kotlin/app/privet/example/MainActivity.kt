package app.privet.example

import android.content.Intent
import android.os.Bundle
import android.view.WindowManager
import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.darkColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import app.privet.example.core.Home
import app.privet.example.core.HomeModel
import app.privet.example.core.HomeState
import app.privet.example.core.Then
import app.privet.example.ui.CamerasScreen
import app.privet.example.ui.ClipScreen
import app.privet.example.ui.DevicesScreen
import app.privet.example.ui.LiveScreen
import app.privet.example.ui.PairScreen
import app.privet.example.ui.Problem
import app.privet.example.ui.SettingsScreen
import app.privet.example.ui.TimelineScreen
import app.privet.example.ui.Waiting
import kotlinx.coroutines.launch

/** Where in the app the person is. */
sealed interface Place {
    data object Cameras : Place
    data class Live(val cameraId: String) : Place
    data class Timeline(val cameraId: String?) : Place
    data class Clip(val clipId: String) : Place
    data object Devices : Place
    data object Settings : Place
}

class MainActivity : ComponentActivity() {
    private val way = mutableStateOf(listOf<Place>(Place.Cameras))

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        // No pictures of the home in the list of recent apps.
        window.addFlags(WindowManager.LayoutParams.FLAG_SECURE)
        follow(intent)
        val holder = (application as App).holder
        setContent { MaterialTheme(darkColorScheme()) { Surface(Modifier.fillMaxSize()) { Shown(holder) } } }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        follow(intent)
    }

    /** From a notification to its clip. */
    private fun follow(intent: Intent) {
        intent.getStringExtra(CLIP)?.let { way.value = listOf(Place.Cameras, Place.Clip(it)) }
    }

    @Composable
    private fun Shown(holder: CoreHolder) = Box(Modifier.safeDrawingPadding()) {
        val opened by holder.opened.collectAsStateWithLifecycle()
        val scope = rememberCoroutineScope()
        when (val now = opened) {
            is Opened.Not -> Waiting("Opening")
            is Opened.Failed -> when (now.advice.then) {
                Then.START_OVER -> Problem(now.advice, "Start over") { scope.launch { holder.startOver() } }
                else -> Problem(now.advice, "Try again") { holder.openAgain() }
            }
            is Opened.Ready -> At(now)
        }
    }

    @Composable
    private fun At(opened: Opened.Ready) {
        val (home, model) = opened
        val state by model.state.collectAsStateWithLifecycle()
        val problem = state.problem
        when {
            state.status != null -> Known(home, model, state)
            problem != null -> Problem(problem, "Try again", model::refresh)
            else -> Waiting("Reading")
        }
    }

    @Composable
    private fun Known(home: Home, model: HomeModel, state: HomeState) {
        // A phone is a member before the person has compared the numbers; that is still to be done.
        var pairing by remember { mutableStateOf(!state.paired) }
        LaunchedEffect(state.paired) { if (!state.paired) pairing = true }
        if (pairing) return PairScreen(home, removed = state.status?.removed == true) { pairing = false }

        var way by way
        val go = { place: Place -> way = way + place }
        BackHandler(enabled = way.size > 1) { way = way.dropLast(1) }
        when (val place = way.last()) {
            is Place.Cameras -> CamerasScreen(state, go)
            is Place.Live -> LiveScreen(home, state.cameras.find { it.id == place.cameraId })
            is Place.Timeline -> TimelineScreen(home, model, place.cameraId, go)
            is Place.Clip -> ClipScreen(home, place.clipId)
            is Place.Devices -> DevicesScreen(home, model)
            is Place.Settings -> SettingsScreen(home, state)
        }
    }

    companion object {
        const val CLIP = "clip"
    }
}
