// Live views and events as flows: what Kotlin does differently. Everything else of this package is generated.
package app.privet

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** The view until its end, which is the last item. Pulled: who collects slowly is told gaps, and nothing piles up. */
fun Live.items(): Flow<LiveItem> = flow {
    while (true) {
        val item = untilStopped { next(WAIT_MS) } ?: return@flow
        if (item !is LiveItem.Idle) emit(item)
        if (item is LiveItem.End) return@flow
    }
}

/** What happens, until the client is shut down. Each event goes to one collector. */
fun Client.events(): Flow<Event> = flow {
    while (true) {
        val next = untilStopped { Box(nextEvent(WAIT_MS)) } ?: return@flow
        next.event?.let { emit(it) }
    }
}

private val WAIT_MS = 60_000u

private class Box(val event: Event?)

private suspend fun <T : Any> untilStopped(call: suspend () -> T): T? =
    try {
        call()
    } catch (_: CoreException.Stopped) {
        null
    }
