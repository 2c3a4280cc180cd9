package app.privet.example

import android.content.Context
import android.util.Base64
import app.privet.PushTarget
import app.privet.example.core.Home
import com.google.firebase.messaging.FirebaseMessaging
import com.google.firebase.messaging.FirebaseMessagingService
import com.google.firebase.messaging.RemoteMessage

/** Through Google: it learns that something came for this phone, and when. */
object PushSetup {
    fun register(context: Context, @Suppress("UNUSED_PARAMETER") home: Home) {
        FirebaseMessaging.getInstance().token.addOnSuccessListener { (context as App).holder.wakeAt(PushTarget.Fcm(it)) }
    }
}

class FcmService : FirebaseMessagingService() {
    override fun onNewToken(token: String) {
        (application as App).holder.wakeAt(PushTarget.Fcm(token))
    }

    /** On a thread of Firebase's own. The relay puts the sealed notification under `b`. */
    override fun onMessageReceived(message: RemoteMessage) {
        val payload = try {
            Base64.decode(message.data["b"].orEmpty(), Base64.DEFAULT)
        } catch (_: IllegalArgumentException) {
            ByteArray(0)
        }
        (application as App).holder.push.arrived(payload, System.currentTimeMillis())
        SyncWorker.enqueue(this)
    }
}
