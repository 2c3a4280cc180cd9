package app.privet.example.ui

import android.Manifest
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.RequestMultiplePermissions
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.view.LifecycleCameraController
import androidx.camera.view.PreviewView
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import androidx.lifecycle.compose.LocalLifecycleOwner
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import app.privet.example.core.Home
import app.privet.example.core.Pairing
import app.privet.example.core.PairingStep
import app.privet.example.core.Then
import com.google.zxing.BinaryBitmap
import com.google.zxing.PlanarYUVLuminanceSource
import com.google.zxing.ReaderException
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader
import java.util.concurrent.Executors
import kotlinx.coroutines.launch

@Composable
fun PairScreen(home: Home, removed: Boolean, done: () -> Unit) {
    val pairing = remember { Pairing(home) }
    val step by pairing.step.collectAsStateWithLifecycle()
    val scope = rememberCoroutineScope()
    val join: () -> Unit = { scope.launch { pairing.join() } }
    when (val now = step) {
        is PairingStep.Scan -> Column(Modifier.padding(16.dp)) {
            if (removed) Text("This phone was removed from its home. What it kept of it is gone.")
            Text(now.hint ?: "Let the hub show a code (privet-hub pair), and point this phone at it.")
            Viewfinder(pairing::scanned)
        }
        is PairingStep.Confirm -> Middle {
            Text("Join this home?", style = MaterialTheme.typography.titleLarge)
            Text("Relay: ${now.offer.relay}")
            Text("Hub: ${now.offer.hubFingerprint}")
            Text("The code is good until ${clock(now.offer.expiresMs)}.")
            Button(join) { Text("Join") }
            OutlinedButton(pairing::scanAgain) { Text("Scan another") }
        }
        is PairingStep.Joining -> Waiting("Joining through ${now.offer.relay}")
        is PairingStep.Compare -> Middle {
            Text("Does the hub show the same number?", style = MaterialTheme.typography.titleLarge)
            Text(now.number.chunked(4).joinToString("\n") { it.joinToString(" ") }, style = MaterialTheme.typography.headlineSmall)
            Text("If not, somebody is in between: remove this phone at the hub.")
            Button(done) { Text("It does") }
        }
        is PairingStep.Failed -> when (now.advice.then) {
            Then.TRY_AGAIN -> Problem(now.advice, "Try again", join)
            else -> Problem(now.advice, "Scan again", pairing::scanAgain)
        }
    }
}

@Composable
private fun Viewfinder(seen: (String) -> Unit) {
    val context = LocalContext.current
    val owner = LocalLifecycleOwner.current
    val controller = remember { LifecycleCameraController(context) }
    val permission = rememberLauncherForActivityResult(RequestMultiplePermissions()) { controller.bindToLifecycle(owner) }
    LaunchedEffect(Unit) { permission.launch(arrayOf(Manifest.permission.CAMERA, Manifest.permission.POST_NOTIFICATIONS)) }
    DisposableEffect(Unit) {
        val thread = Executors.newSingleThreadExecutor()
        controller.setImageAnalysisAnalyzer(thread, QrReader(seen))
        onDispose {
            controller.unbind()
            thread.shutdown()
        }
    }
    AndroidView({ PreviewView(it).apply { this.controller = controller } }, Modifier.fillMaxSize())
}

private class QrReader(private val seen: (String) -> Unit) : ImageAnalysis.Analyzer {
    private val reader = QRCodeReader()

    /** The brightness alone; a code is read from any side. */
    override fun analyze(image: ImageProxy) = image.use {
        val plane = image.planes[0]
        val bytes = ByteArray(plane.buffer.remaining()).also(plane.buffer::get)
        // The last row may lack what pads the others.
        val rows = minOf(image.height, bytes.size / plane.rowStride)
        val source = PlanarYUVLuminanceSource(bytes, plane.rowStride, rows, 0, 0, minOf(image.width, plane.rowStride), rows, false)
        try {
            seen(reader.decode(BinaryBitmap(HybridBinarizer(source))).text)
        } catch (_: ReaderException) {
            // No code in this picture.
        }
    }
}
