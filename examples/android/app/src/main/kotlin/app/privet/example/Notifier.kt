package app.privet.example

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Context
import android.content.Intent
import android.graphics.BitmapFactory
import androidx.core.app.NotificationCompat
import app.privet.example.core.Card
import app.privet.example.core.Channel
import app.privet.example.core.NotificationDecision

/** Gives cards to the system. The event's id is the notification's tag, so the same event takes its own place. */
class Notifier(private val context: Context) {
    private val manager = context.getSystemService(NotificationManager::class.java)

    init {
        for (channel in Channel.entries) {
            val loud = if (channel == Channel.TROUBLE) NotificationManager.IMPORTANCE_DEFAULT else NotificationManager.IMPORTANCE_HIGH
            manager.createNotificationChannel(NotificationChannel(channel.id, channel.title, loud))
        }
    }

    fun show(decision: NotificationDecision) = when (decision) {
        is NotificationDecision.Show -> post(decision.card, rings = true)
        is NotificationDecision.Replace -> post(decision.card, rings = false)
        is NotificationDecision.Drop -> {}
    }

    private fun post(card: Card, rings: Boolean) {
        // Whoever allowed none wants none.
        if (manager.areNotificationsEnabled()) manager.notify(card.id, 0, build(card, rings))
    }

    private fun build(card: Card, rings: Boolean): Notification {
        val built = base(card.channel, card.title, card.text)
            .setWhen(card.atMs)
            .setShowWhen(true)
            .setSubText(if (card.late) "told late" else null)
            .setSilent(!rings)
            .setAutoCancel(true)
            .setContentIntent(open(card))
            .setVisibility(NotificationCompat.VISIBILITY_PRIVATE)
            .setPublicVersion(base(card.channel, "Something happened at home", "").setWhen(card.atMs).build())
        card.picture?.let { BitmapFactory.decodeByteArray(it, 0, it.size) }?.let { picture ->
            built.setLargeIcon(picture).setStyle(NotificationCompat.BigPictureStyle().bigPicture(picture))
        }
        return built.build()
    }

    private fun base(channel: Channel, title: String, text: String) =
        NotificationCompat.Builder(context, channel.id).setSmallIcon(R.drawable.eye).setContentTitle(title).setContentText(text)

    private fun open(card: Card): PendingIntent {
        val intent = Intent(context, MainActivity::class.java).putExtra(MainActivity.CLIP, card.clipId)
        return PendingIntent.getActivity(
            context, card.id.hashCode(), intent, PendingIntent.FLAG_IMMUTABLE or PendingIntent.FLAG_UPDATE_CURRENT,
        )
    }
}
