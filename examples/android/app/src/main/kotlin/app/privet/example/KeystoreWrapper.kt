package app.privet.example

import android.content.Context
import android.content.pm.PackageManager
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import app.privet.CoreException
import app.privet.KeyWrapper
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.ProviderException
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * AES-GCM under a key that never leaves the phone's secure hardware: StrongBox where there is one, else the trusted execution
 * environment. The key needs no unlocked phone: a notification is opened in a pocket. The label is authenticated.
 */
class KeystoreWrapper(private val context: Context) : KeyWrapper {
    override suspend fun wrap(label: String, secret: ByteArray) = withContext(Dispatchers.IO) { seal(label, secret) }
    override suspend fun unwrap(label: String, blob: ByteArray) = withContext(Dispatchers.IO) { unseal(label, blob) }

    fun seal(label: String, secret: ByteArray): ByteArray = asking {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, key() ?: make())
        cipher.updateAAD(label.toByteArray())
        cipher.iv + cipher.doFinal(secret)
    }

    fun unseal(label: String, blob: ByteArray): ByteArray = asking {
        val key = key() ?: throw CoreException.KeyLost("the keystore has no key '$NAME'")
        if (blob.size < IV) throw CoreException.KeyLost("what was sealed has ${blob.size} bytes")
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, blob, 0, IV))
        cipher.updateAAD(label.toByteArray())
        cipher.doFinal(blob, IV, blob.size - IV)
    }

    private fun key() = KeyStore.getInstance(STORE).apply { load(null) }.getKey(NAME, null) as SecretKey?

    @Synchronized
    private fun make(): SecretKey {
        key()?.let { return it }
        val hasStrongBox = context.packageManager.hasSystemFeature(PackageManager.FEATURE_STRONGBOX_KEYSTORE)
        return try {
            generate(hasStrongBox)
        } catch (_: StrongBoxUnavailableException) {
            generate(strongBox = false)
        }
    }

    private fun generate(strongBox: Boolean): SecretKey {
        val spec = KeyGenParameterSpec.Builder(NAME, KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .setIsStrongBoxBacked(strongBox)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, STORE).run {
            init(spec)
            generateKey()
        }
    }

    /** Lost for good is another thing than not now: the one means pairing anew, the other trying again. */
    private fun <T> asking(work: () -> T): T = try {
        work()
    } catch (error: KeyPermanentlyInvalidatedException) {
        throw CoreException.KeyLost("$error")
    } catch (error: AEADBadTagException) {
        throw CoreException.KeyLost("another key sealed this: $error")
    } catch (error: GeneralSecurityException) {
        throw CoreException.Keystore("$error", false)
    } catch (error: ProviderException) {
        throw CoreException.Keystore("$error", false)
    }

    private companion object {
        const val STORE = "AndroidKeyStore"
        const val NAME = "privet"
        const val CIPHER = "AES/GCM/NoPadding"
        const val IV = 12
        const val TAG_BITS = 128
    }
}
