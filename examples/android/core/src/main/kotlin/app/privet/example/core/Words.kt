package app.privet.example.core

import app.privet.CoreException
import app.privet.GapReason
import app.privet.LinkState
import app.privet.PairingFailureKind
import app.privet.PairingFailureKind.*
import app.privet.Trust
import app.privet.VerifyReport

/** What the person can do about a failure. */
enum class Then { SCAN_AGAIN, TRY_AGAIN, WAIT, PAIR_ANEW, START_OVER, NOTHING }

/** A failure in the app's words; [detail] is the library's own, for whoever wants to know. */
data class Advice(val text: String, val then: Then, val detail: String = "")

fun advice(kind: PairingFailureKind, detail: String = ""): Advice = when (kind) {
    NOT_PRIVET -> Advice("This is not a Privet code. Scan the one that your hub shows.", Then.SCAN_AGAIN, detail)
    VERSION -> Advice("Hub and app are of different versions. Update the older one.", Then.NOTHING, detail)
    DAMAGED -> Advice("The code could not be read completely. Scan it again.", Then.SCAN_AGAIN, detail)
    EXPIRED -> Advice("The code is older than ten minutes. Let the hub show a new one.", Then.SCAN_AGAIN, detail)
    USED -> Advice(
        "The code was used already. If that was not you, look at the hub's list of phones; then let it show a new code.",
        Then.SCAN_AGAIN, detail,
    )
    OTHER_RELAY -> Advice(
        "The relay is not the one that the code names: a wrong address, a new relay, or somebody in between.",
        Then.NOTHING, detail,
    )
    RELAY_UNREACHABLE -> Advice("The relay can't be reached. Is this phone online?", Then.TRY_AGAIN, detail)
    HUB_SILENT -> Advice("The hub does not answer. Is it running and online?", Then.TRY_AGAIN, detail)
    FORGED -> Advice("The answer did not come from the hub that showed the code. Somebody interferes.", Then.NOTHING, detail)
    REFUSED -> Advice("The hub refused this phone.", Then.SCAN_AGAIN, detail)
    ALREADY_PAIRED -> Advice("This phone belongs to a home already.", Then.NOTHING, detail)
    OTHER -> Advice("Pairing failed in a way that this app does not know.", Then.SCAN_AGAIN, detail)
}

fun advice(error: CoreException): Advice = when (error) {
    is CoreException.Pairing -> advice(error.kind, error.reason)
    is CoreException.NotPaired -> Advice("This phone belongs to no home yet.", Then.PAIR_ANEW)
    is CoreException.Revoked -> Advice("This phone was removed from the home.", Then.PAIR_ANEW)
    is CoreException.Tampered -> Advice("This was changed on its way and is not shown.", Then.NOTHING, error.reason)
    is CoreException.Network -> Advice("Offline.", Then.TRY_AGAIN, error.reason)
    is CoreException.Timeout -> Advice("No answer yet.", Then.WAIT, error.what)
    is CoreException.NotFound -> Advice("It is not there any more.", Then.NOTHING, error.what)
    is CoreException.Storage -> Advice("The phone's storage failed.", Then.TRY_AGAIN, error.reason)
    is CoreException.StorageFull -> Advice("No room is left on this phone. Free some, then try again.", Then.TRY_AGAIN, error.reason)
    is CoreException.NewerStore -> Advice("A newer version of this app was here. Update it.", Then.NOTHING, error.reason)
    is CoreException.Damaged -> Advice("What this phone keeps of the home is damaged. Start over and pair again.", Then.START_OVER, error.reason)
    is CoreException.KeyLost -> Advice(
        "This phone's keystore lost the home's key. Start over and pair again.", Then.START_OVER, error.reason,
    )
    is CoreException.Keystore -> Advice(
        if (error.userCancelled) "Cancelled." else "The phone's keystore refused.", Then.TRY_AGAIN, error.reason,
    )
    is CoreException.Busy -> Advice("Another process of this app is at work.", Then.TRY_AGAIN)
    is CoreException.Invalid -> Advice(error.reason, Then.NOTHING)
    is CoreException.Stopped, is CoreException.Background -> Advice("Stopped.", Then.TRY_AGAIN)
    is CoreException.Internal -> Advice("A defect in Privet. Please report it.", Then.NOTHING, error.reason)
}

/** Who made what is shown, in one line. A screen never leaves it out. */
fun explain(trust: Trust): String = when (trust) {
    is Trust.Verified -> "Signed by this camera (${trust.signer.take(FINGERPRINT)}), every byte checked."
    is Trust.Pending -> "From this home; the camera's signature is checked when it is here."
    is Trust.Broken -> "Not shown: ${trust.why}"
}

fun explain(report: VerifyReport): String = when {
    !report.ok -> "Does not hold: ${report.problems.joinToString("; ")}"
    !report.signerKnown -> "Unchanged, but signed by a key that is not this home's (${report.signer.take(FINGERPRINT)})."
    else -> buildString {
        append("Signed by this camera (${report.signer.take(FINGERPRINT)}): ${report.framesChecked} pictures checked")
        if (report.firstSegment > 0uL) append("; it begins where this phone joined")
        if (report.gaps.isNotEmpty()) append("; pictures are missing ${report.gaps.size} times meanwhile, and the hub says so")
        if (report.clockSetBack > 0u) append("; the hub's clock was set back meanwhile")
        append('.')
    }
}

fun explain(gap: GapReason): String = when (gap) {
    GapReason.SLOW_VIEWER -> "Pictures were left out: this phone was too slow."
    GapReason.NETWORK_LOSS -> "Pictures were left out: the network was too slow."
    GapReason.NEW_STREAM -> "Pictures were left out: the hub began another stream."
    GapReason.CAMERA_RESTART -> "The camera was away."
    GapReason.FAILED_VERIFICATION -> "Pictures were left out: they were not this camera's."
}

fun explain(link: LinkState): String = when (link) {
    LinkState.OFFLINE -> "Offline"
    LinkState.CONNECTING -> "Connecting"
    LinkState.RELAY -> "Connected"
    LinkState.REFUSED -> "The relay does not let this phone in"
}

/** As much of a fingerprint as a line has room for. */
private const val FINGERPRINT = 9
