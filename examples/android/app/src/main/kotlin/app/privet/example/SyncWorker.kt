package app.privet.example

import android.content.Context
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.OutOfQuotaPolicy
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import app.privet.example.core.SyncResult

/** Connects for some seconds after a push message: tells what was shown, and fetches what did not fit into it. */
class SyncWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result = when ((applicationContext as App).holder.sync()) {
        SyncResult.DONE -> Result.success()
        SyncResult.AGAIN -> if (runAttemptCount < ATTEMPTS) Result.retry() else Result.failure()
        SyncResult.NEVER -> Result.failure()
    }

    companion object {
        private const val ATTEMPTS = 4

        /** Another message while one is at work means another run: the first may have looked already. */
        fun enqueue(context: Context) {
            val request = OneTimeWorkRequestBuilder<SyncWorker>()
                .setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
                .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
                .build()
            WorkManager.getInstance(context).enqueueUniqueWork("sync", ExistingWorkPolicy.APPEND_OR_REPLACE, request)
        }
    }
}
