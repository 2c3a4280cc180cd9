package app.privet.example

import android.content.Context
import android.os.Build
import app.privet.Client
import app.privet.Config
import app.privet.CoreException
import app.privet.NotificationKeys
import app.privet.PushTarget
import app.privet.example.core.Advice
import app.privet.example.core.Doorkeeper
import app.privet.example.core.Home
import app.privet.example.core.HomeModel
import app.privet.example.core.NotificationDesk
import app.privet.example.core.PrivetHome
import app.privet.example.core.PushDoor
import app.privet.example.core.Said
import app.privet.example.core.SyncResult
import app.privet.example.core.advice
import app.privet.example.core.outcome
import app.privet.example.core.say
import app.privet.example.core.sync
import app.privet.openNotification
import app.privet.startOver
import java.io.File
import java.io.IOException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** What the screens have: nothing yet, the home, or a reason. */
sealed interface Opened {
    data object Not : Opened
    data class Ready(val home: Home, val model: HomeModel) : Opened
    data class Failed(val advice: Advice) : Opened
}

/** The one client of this process, for screens, workers and push services. */
class CoreHolder(private val context: Context) {
    private val keystore = KeystoreWrapper(context)
    // Never in a backup, not even where a vendor ignores the manifest.
    private val storage = File(context.noBackupFilesDir, "home")
    private val keys = NotificationKeyFile(File(context.noBackupFilesDir, "notification.key"), keystore)
    private val desk = NotificationDesk(File(context.noBackupFilesDir, "shown"))
    private val notifier = Notifier(context)
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val retry = Channel<Unit>(Channel.CONFLATED)
    private val now = MutableStateFlow<Opened>(Opened.Not)
    @Volatile private var client: Client? = null
    private var model: HomeModel? = null

    private val door = Doorkeeper {
        val config = Config(storage.path, "${Build.MANUFACTURER} ${Build.MODEL}", CACHE_MIB, BuildConfig.VERSION_NAME)
        PrivetHome(Client.open(config, keystore).also { client = it })
    }

    val opened: StateFlow<Opened> = now.asStateFlow()

    /** Opens what a push service brought, on its thread and without the store. */
    val push = PushDoor(desk, keys::read, ::openNotification, notifier::show)

    /** Holds the store as long as anybody looks; cancelled when nobody does. */
    suspend fun onScreen() {
        while (true) {
            try {
                door.use { home ->
                    val model = model ?: HomeModel(home) { desk.deliver(it, notifier::show) }.also { model = it }
                    try {
                        coroutineScope {
                            model.start(this)
                            now.value = Opened.Ready(home, model)
                            // Tokens change, and the keys are there once the phone is paired.
                            model.state.map { it.paired }.distinctUntilChanged().filter { it }.collect { wakeable(home) }
                        }
                    } finally {
                        now.value = Opened.Not
                        model.stop()
                    }
                }
            } catch (error: CoreException) {
                now.value = Opened.Failed(advice(error))
            }
            retry.receive()
        }
    }

    /** What a notification needs, and where this phone is woken. Offline it is tried again at the next start. */
    private suspend fun wakeable(home: Home) = say {
        keys.write(home.notificationKeys())
        PushSetup.register(context, home)
    }

    fun openAgain() = retry.trySend(Unit)

    /** The store is damaged or its key is lost, and the person wants to pair anew. */
    suspend fun startOver() {
        keys.forget()
        val said = withContext(Dispatchers.IO) { say { startOver(storage.path) } }
        if (said is Said.Failed) now.value = Opened.Failed(said.advice) else openAgain()
    }

    fun networkChanged() {
        client?.networkChanged()
    }

    /** A push service gave this phone an address. */
    fun wakeAt(target: PushTarget) = scope.launch { say { door.use { it.registerPush(target) } } }

    suspend fun sync(): SyncResult = try {
        door.use { sync(it, desk, SYNC_MS, notifier::show) }
    } catch (error: CoreException) {
        outcome(error)
    }

    private companion object {
        const val SYNC_MS = 8_000
        val CACHE_MIB = 512u
    }
}

/** The notification keys where a push service finds them while the store is closed, sealed by the keystore. */
private class NotificationKeyFile(private val file: File, private val keystore: KeystoreWrapper) {
    fun write(keys: NotificationKeys) = try {
        file.writeBytes(keystore.seal(LABEL, keys.secret + keys.hub))
    } catch (error: IOException) {
        throw CoreException.Storage("$error")
    }

    fun read(): NotificationKeys? = try {
        val both = keystore.unseal(LABEL, file.takeIf { it.exists() }?.readBytes() ?: return null)
        NotificationKeys(both.copyOf(KEY), both.copyOfRange(KEY, both.size))
    } catch (_: CoreException) {
        null
    }

    fun forget() = file.delete()

    private companion object {
        const val LABEL = "notification keys v1"
        const val KEY = 32
    }
}
