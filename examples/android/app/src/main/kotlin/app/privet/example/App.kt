package app.privet.example

import android.app.Application
import android.net.ConnectivityManager
import android.net.Network
import android.util.Log
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.ProcessLifecycleOwner
import androidx.lifecycle.lifecycleScope
import androidx.lifecycle.repeatOnLifecycle
import app.privet.CoreException
import app.privet.LogLevel
import app.privet.LogSink
import app.privet.setLogSink
import kotlinx.coroutines.launch

class App : Application() {
    lateinit var holder: CoreHolder
        private set

    override fun onCreate() {
        super.onCreate()
        logToSystem()
        holder = CoreHolder(this)
        val process = ProcessLifecycleOwner.get()
        process.lifecycleScope.launch { process.repeatOnLifecycle(Lifecycle.State.STARTED) { holder.onScreen() } }
        getSystemService(ConnectivityManager::class.java).registerDefaultNetworkCallback(object : ConnectivityManager.NetworkCallback() {
            override fun onAvailable(network: Network) = holder.networkChanged()
        })
    }

    private fun logToSystem() = try {
        setLogSink(
            object : LogSink {
                override fun log(level: LogLevel, target: String, line: String) {
                    val priority = when (level) {
                        LogLevel.ERROR -> Log.ERROR
                        LogLevel.WARN -> Log.WARN
                        LogLevel.INFO -> Log.INFO
                        LogLevel.DEBUG -> Log.DEBUG
                    }
                    Log.println(priority, target, line)
                }
            },
            if (BuildConfig.DEBUG) LogLevel.DEBUG else LogLevel.INFO,
        )
    } catch (error: CoreException) {
        Log.w("privet", "no log of the library: $error")
    }
}
