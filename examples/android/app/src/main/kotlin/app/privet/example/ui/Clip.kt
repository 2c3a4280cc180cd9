package app.privet.example.ui

import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.CreateDocument
import androidx.annotation.OptIn
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import androidx.media3.common.MediaItem
import androidx.media3.common.PlaybackException
import androidx.media3.common.Player
import androidx.media3.common.util.UnstableApi
import androidx.media3.exoplayer.ExoPlayer
import androidx.media3.exoplayer.source.ProgressiveMediaSource
import androidx.media3.ui.PlayerView
import app.privet.CoreException
import app.privet.example.ClipDataSource
import app.privet.example.core.ClipBytes
import app.privet.example.core.Home
import app.privet.example.core.Recording
import app.privet.example.core.advice
import app.privet.example.core.explain
import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

@Composable
fun ClipScreen(home: Home, clipId: String) {
    var recording by remember { mutableStateOf<Recording?>(null) }
    var said by remember { mutableStateOf("Fetching") }
    LaunchedEffect(clipId) {
        try {
            recording = home.openClip(clipId).also { said = explain(it.trust()) }
        } catch (error: CoreException) {
            said = advice(error).text
        }
    }
    Column {
        recording?.let { Player(it) { why -> said = why } }
        Text(said, Modifier.padding(16.dp))
        recording?.let { Proof(it) { result -> said = result } }
    }
}

@OptIn(UnstableApi::class)
@Composable
private fun Player(recording: Recording, failed: (String) -> Unit) {
    val context = LocalContext.current
    val player = remember(recording) {
        val source = ProgressiveMediaSource.Factory { ClipDataSource(ClipBytes(recording)) }
        ExoPlayer.Builder(context).build().apply {
            setMediaSource(source.createMediaSource(MediaItem.fromUri("privet:clip")))
            addListener(object : Player.Listener {
                override fun onPlayerError(error: PlaybackException) {
                    val cause = generateSequence<Throwable>(error) { it.cause }.firstNotNullOfOrNull { it as? CoreException }
                    failed(cause?.let { advice(it).text } ?: "It can't be played: ${error.errorCodeName}")
                }
            })
            prepare()
            play()
        }
    }
    DisposableEffect(recording) {
        onDispose {
            // First what the loader waits for, then the loader.
            recording.stop()
            player.release()
        }
    }
    AndroidView({ PlayerView(it).apply { this.player = player } }, Modifier.fillMaxWidth().aspectRatio(16f / 9))
}

/** Checks every byte, and saves it with its proof for somebody who is not of this home. */
@Composable
private fun Proof(recording: Recording, said: (String) -> Unit) {
    val context = LocalContext.current
    val scope = rememberCoroutineScope()
    fun attempt(work: suspend () -> String) = scope.launch {
        said("Working")
        said(
            try {
                work()
            } catch (error: CoreException) {
                advice(error).text
            } catch (error: IOException) {
                "It can't be saved: ${error.message}"
            },
        )
    }
    val save = rememberLauncherForActivityResult(CreateDocument("video/mp4")) { place ->
        if (place != null) attempt {
            val file = File(context.cacheDir, "export.mp4")
            try {
                recording.exportTo(file.path, withEvidence = true)
                withContext(Dispatchers.IO) {
                    val out = context.contentResolver.openOutputStream(place) ?: throw IOException("nobody takes it")
                    out.use { file.inputStream().use { bytes -> bytes.copyTo(it) } }
                }
                "Saved, with its proof."
            } finally {
                file.delete()
            }
        }
    }
    Column(Modifier.padding(16.dp)) {
        Button({ attempt { explain(recording.verify()) } }) { Text("Check every byte") }
        Button({ save.launch("clip.mp4") }) { Text("Save with proof") }
    }
}
