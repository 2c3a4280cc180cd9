package app.privet.example

import android.content.Context
import android.util.Base64
import android.util.Log
import app.privet.PushTarget
import app.privet.example.core.Home
import org.unifiedpush.android.connector.FailedReason
import org.unifiedpush.android.connector.PushService
import org.unifiedpush.android.connector.UnifiedPush
import org.unifiedpush.android.connector.data.PushEndpoint
import org.unifiedpush.android.connector.data.PushMessage

private const val BASE64 = Base64.URL_SAFE or Base64.NO_PADDING or Base64.NO_WRAP

/** Through the push server that the person chose, as Web Push. Without a distributor on the phone nothing wakes it. */
object PushSetup {
    suspend fun register(context: Context, home: Home) {
        val vapid = home.pushInfo().vapid ?: return
        if (UnifiedPush.getSavedDistributor(context) == null) {
            UnifiedPush.saveDistributor(context, UnifiedPush.getDistributors(context).firstOrNull() ?: return)
        }
        UnifiedPush.register(context, vapid = Base64.encodeToString(vapid, BASE64))
    }
}

class UnifiedPushService : PushService() {
    override fun onNewEndpoint(endpoint: PushEndpoint, instance: String) {
        val keys = endpoint.pubKeySet ?: return
        (application as App).holder.wakeAt(
            PushTarget.WebPush(endpoint.url, Base64.decode(keys.pubKey, BASE64), Base64.decode(keys.auth, BASE64)),
        )
    }

    /** The connector took Web Push's own encryption off; what is left is what the hub sealed. */
    override fun onMessage(message: PushMessage, instance: String) {
        (application as App).holder.push.arrived(message.content, System.currentTimeMillis())
        SyncWorker.enqueue(this)
    }

    override fun onRegistrationFailed(reason: FailedReason, instance: String) {
        Log.w("privet", "UnifiedPush: $reason; tried again at the next start")
    }

    /** The relay hears from the push server that the address has ended; the next start asks for a new one. */
    override fun onUnregistered(instance: String) = Unit
}
