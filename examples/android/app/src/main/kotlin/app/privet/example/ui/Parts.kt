package app.privet.example.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import app.privet.example.core.Advice
import java.time.Instant
import java.time.ZoneId
import java.time.format.DateTimeFormatter
import java.time.format.FormatStyle

@Composable
fun Middle(content: @Composable () -> Unit) = Column(
    Modifier.fillMaxSize().padding(24.dp),
    verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
    horizontalAlignment = Alignment.CenterHorizontally,
) { content() }

@Composable
fun Waiting(forWhat: String) = Middle {
    CircularProgressIndicator()
    Text(forWhat)
}

@Composable
fun Problem(advice: Advice, button: String?, onClick: () -> Unit = {}) = Middle {
    Text(advice.text, style = MaterialTheme.typography.titleMedium, textAlign = TextAlign.Center)
    if (advice.detail.isNotEmpty()) Text(advice.detail, style = MaterialTheme.typography.bodySmall, textAlign = TextAlign.Center)
    if (button != null) Button(onClick) { Text(button) }
}

@Composable
fun Heading(text: String) =
    Text(text, Modifier.padding(start = 16.dp, top = 24.dp, bottom = 4.dp), style = MaterialTheme.typography.titleMedium)

private val whole = DateTimeFormatter.ofLocalizedDateTime(FormatStyle.SHORT, FormatStyle.MEDIUM)
private val short = DateTimeFormatter.ofLocalizedTime(FormatStyle.MEDIUM)

fun clock(ms: Long): String = short.format(Instant.ofEpochMilli(ms).atZone(ZoneId.systemDefault()))
fun date(ms: Long): String = whole.format(Instant.ofEpochMilli(ms).atZone(ZoneId.systemDefault()))
