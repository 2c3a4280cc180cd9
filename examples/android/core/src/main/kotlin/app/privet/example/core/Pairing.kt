package app.privet.example.core

import app.privet.CoreException
import app.privet.PairingFailureKind
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** Where pairing is: scan, look at what was scanned, join, compare numbers with the hub. */
sealed interface PairingStep {
    /** The viewfinder is open; [hint] is about what it saw. */
    data class Scan(val hint: String? = null) : PairingStep
    data class Confirm(val offer: Offer) : PairingStep
    data class Joining(val offer: Offer) : PairingStep
    /** This phone is a member; the hub must show the same [number], in groups of five digits. */
    data class Compare(val number: List<String>) : PairingStep
    data class Failed(val advice: Advice, val offer: Offer?) : PairingStep
}

class Pairing(private val home: Home) {
    private val now = MutableStateFlow<PairingStep>(PairingStep.Scan())
    val step: StateFlow<PairingStep> = now.asStateFlow()

    /** A code came before the camera. Codes of others stand on every parcel, so those are only a hint. */
    @Synchronized
    fun scanned(text: String) {
        if (now.value !is PairingStep.Scan) return
        now.value = try {
            PairingStep.Confirm(home.offer(text))
        } catch (error: CoreException.Pairing) {
            val advice = advice(error)
            if (error.kind == PairingFailureKind.NOT_PRIVET) PairingStep.Scan(advice.text) else PairingStep.Failed(advice, null)
        }
    }

    /** Joins with the code at hand. The same code may be tried again: what got lost on the way costs nothing. */
    suspend fun join() {
        val offer = when (val step = now.value) {
            is PairingStep.Confirm -> step.offer
            is PairingStep.Failed -> step.offer?.takeIf { step.advice.then == Then.TRY_AGAIN } ?: return
            else -> return
        }
        now.value = PairingStep.Joining(offer)
        now.value = try {
            home.pair(offer)
            compare()
        } catch (error: CoreException) {
            PairingStep.Failed(advice(error), offer)
        }
    }

    fun scanAgain() {
        now.value = PairingStep.Scan()
    }

    private suspend fun compare() =
        PairingStep.Compare(home.safetyNumber().filter(Char::isDigit).chunked(DIGITS))

    private companion object {
        const val DIGITS = 5
    }
}
