package app.privet.example.core

import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * Who needs the store: the screen, a worker, a new push token. The first one opens it, the last one lets go of it, so that a process
 * which the system freezes holds no file and no lock. The client itself stays: its key was asked of the keystore once.
 */
class Doorkeeper(private val open: suspend () -> Home) {
    private val turn = Mutex()
    private var home: Home? = null
    private var users = 0

    suspend fun <T> use(work: suspend (Home) -> T): T {
        val home = enter()
        try {
            return work(home)
        } finally {
            withContext(NonCancellable) { leave(home) }
        }
    }

    private suspend fun enter(): Home = turn.withLock {
        val known = home
        val here = known ?: open().also { home = it }
        if (known != null && users == 0) here.foreground()
        users += 1
        here
    }

    private suspend fun leave(home: Home) = turn.withLock {
        users -= 1
        if (users == 0) home.background(WITHIN_MS)
    }

    private companion object {
        /** Well below the ten seconds after which Android may freeze a process that nobody sees. */
        const val WITHIN_MS = 4_000
    }
}
