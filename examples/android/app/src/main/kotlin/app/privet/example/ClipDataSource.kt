package app.privet.example

import android.net.Uri
import androidx.annotation.OptIn
import androidx.media3.common.PlaybackException
import androidx.media3.common.util.UnstableApi
import androidx.media3.datasource.BaseDataSource
import androidx.media3.datasource.DataSourceException
import androidx.media3.datasource.DataSpec
import app.privet.CoreException
import app.privet.example.core.ClipBytes

/** A clip for ExoPlayer. All that is to know is in [ClipBytes]. */
@OptIn(UnstableApi::class)
class ClipDataSource(private val bytes: ClipBytes) : BaseDataSource(/* isNetwork = */ true) {
    private var uri: Uri? = null

    override fun open(dataSpec: DataSpec): Long = said {
        transferInitializing(dataSpec)
        val length = bytes.open(dataSpec.position, dataSpec.length)
        uri = dataSpec.uri
        transferStarted(dataSpec)
        length
    }

    override fun read(buffer: ByteArray, offset: Int, length: Int): Int = said {
        bytes.read(buffer, offset, length).also { if (it > 0) bytesTransferred(it) }
    }

    override fun getUri() = uri

    override fun close() {
        if (uri != null) transferEnded()
        uri = null
    }

    private fun <T> said(work: () -> T): T = try {
        work()
    } catch (error: ClipBytes.OutOfRange) {
        throw DataSourceException(error, PlaybackException.ERROR_CODE_IO_READ_POSITION_OUT_OF_RANGE)
    } catch (error: CoreException) {
        throw DataSourceException(error, PlaybackException.ERROR_CODE_IO_UNSPECIFIED)
    }
}
