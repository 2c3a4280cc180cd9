package app.privet.example.ui

import android.content.Context
import android.view.SurfaceHolder
import android.view.SurfaceView
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import app.privet.Camera
import app.privet.CoreException
import app.privet.example.SurfaceDecoder
import app.privet.example.core.Home
import app.privet.example.core.LivePump
import app.privet.example.core.LiveSource
import app.privet.example.core.OnScreen
import app.privet.example.core.Screen
import app.privet.example.core.advice
import app.privet.example.core.explain
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.launch

@Composable
fun LiveScreen(home: Home, camera: Camera?) {
    if (camera == null) return Middle { Text("This camera is not there any more.") }
    val context = LocalContext.current
    val view = remember(camera.id) { LiveView(context) { home.openLive(camera.id) } }
    val screen by view.screen.collectAsStateWithLifecycle()
    Column {
        Text(camera.name, Modifier.padding(16.dp), style = MaterialTheme.typography.titleLarge)
        Box(Modifier.fillMaxWidth().aspectRatio(if (screen.height > 0) screen.width.toFloat() / screen.height else 16f / 9)) {
            AndroidView({ view }, Modifier.fillMaxSize())
            // What was not the camera's, and a surface that nothing was drawn on, are not to be seen.
            if (screen.trust == OnScreen.BROKEN || screen.trust == OnScreen.NOTHING) Box(Modifier.fillMaxSize().background(Color.Black))
        }
        Column(Modifier.padding(16.dp)) { for (line in told(screen)) Text(line) }
    }
}

private fun told(screen: Screen) = listOfNotNull(
    screen.capturedMs?.let(::clock),
    when (screen.trust) {
        OnScreen.NOTHING -> "Waiting for the first picture"
        OnScreen.CHECKING -> "From this home; signatures are being checked"
        OnScreen.FOLLOWING -> "Signed by this camera up to a moment ago (${screen.why})"
        OnScreen.VERIFIED -> "Signed by this camera (${screen.why})"
        OnScreen.BROKEN -> "Not this camera's pictures: ${screen.why}"
    },
    if (screen.broken > 0) "${screen.broken} pieces of this view were not this camera's" else null,
    screen.gap?.let(::explain),
    if (screen.substream) "Smaller pictures: the link is slow" else null,
    if (screen.quiet) "No new pictures" else null,
    screen.ended,
)

/** A view that plays while it has a surface: no surface, no decoder, no traffic. */
private class LiveView(context: Context, private val open: suspend () -> LiveSource) : SurfaceView(context), SurfaceHolder.Callback {
    val screen = MutableStateFlow(Screen())
    private val scope: CoroutineScope = MainScope()
    private var opening: Job? = null
    private var pump: LivePump? = null

    init {
        holder.addCallback(this)
    }

    override fun surfaceCreated(holder: SurfaceHolder) {
        opening = scope.launch {
            try {
                val pump = LivePump(open(), SurfaceDecoder(holder.surface)).also { pump = it }
                pump.start()
                pump.screen.collect { screen.value = it }
            } catch (error: CoreException) {
                screen.value = Screen(ended = advice(error).text)
            }
        }
    }

    /** Returns when the decoder has let go of the surface. */
    override fun surfaceDestroyed(holder: SurfaceHolder) {
        opening?.cancel()
        pump?.stop()
        pump = null
    }

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int) = Unit
}
