import Foundation
import Privet

/// What the person can do about a failure.
public enum Then: Sendable { case scanAgain, tryAgain, wait, pairAnew, startOver, nothing }

/// A failure in the app's words; `detail` is the library's own, for whoever wants to know.
public struct Advice: Equatable, Sendable {
    public let text: String
    public let then: Then
    public let detail: String

    public init(_ text: String, _ then: Then, _ detail: String = "") { (self.text, self.then, self.detail) = (text, then, detail) }
}

public func advice(_ kind: PairingFailureKind, _ detail: String = "") -> Advice {
    switch kind {
    case .notPrivet: Advice("This is not a Privet code. Scan the one that your hub shows.", .scanAgain, detail)
    case .version: Advice("Hub and app are of different versions. Update the older one.", .nothing, detail)
    case .damaged: Advice("The code could not be read completely. Scan it again.", .scanAgain, detail)
    case .expired: Advice("The code is older than ten minutes. Let the hub show a new one.", .scanAgain, detail)
    case .used:
        Advice("The code was used already. If that was not you, look at the hub's list of phones; then let it show a new code.", .scanAgain, detail)
    case .otherRelay:
        Advice("The relay is not the one that the code names: a wrong address, a new relay, or somebody in between.", .nothing, detail)
    case .relayUnreachable: Advice("The relay can't be reached. Is this phone online?", .tryAgain, detail)
    case .hubSilent: Advice("The hub does not answer. Is it running and online?", .tryAgain, detail)
    case .forged: Advice("The answer did not come from the hub that showed the code. Somebody interferes.", .nothing, detail)
    case .refused: Advice("The hub refused this phone.", .scanAgain, detail)
    case .alreadyPaired: Advice("This phone belongs to a home already.", .nothing, detail)
    case .other: Advice("Pairing failed in a way that this app does not know.", .scanAgain, detail)
    }
}

/// Of any error, so that a `catch` needs no second branch: what is not the library's is a defect.
public func advice(_ error: any Error) -> Advice {
    guard let error = error as? CoreError else { return Advice("A defect in this app. Please report it.", .nothing, "\(error)") }
    switch error {
    case .Pairing(let kind, let reason): return advice(kind, reason)
    case .NotPaired: return Advice("This phone belongs to no home yet.", .pairAnew)
    case .Revoked: return Advice("This phone was removed from the home.", .pairAnew)
    case .Tampered(let reason): return Advice("This was changed on its way and is not shown.", .nothing, reason)
    case .Network(let reason, _): return Advice("Offline.", .tryAgain, reason)
    case .Timeout(let what): return Advice("No answer yet.", .wait, what)
    case .NotFound(let what): return Advice("It is not there any more.", .nothing, what)
    case .Storage(let reason): return Advice("The phone's storage failed.", .tryAgain, reason)
    case .StorageFull(let reason): return Advice("No room is left on this phone. Free some, then try again.", .tryAgain, reason)
    case .NewerStore(let reason): return Advice("A newer version of this app was here. Update it.", .nothing, reason)
    case .Damaged(let reason): return Advice("What this phone keeps of the home is damaged. Start over and pair again.", .startOver, reason)
    case .KeyLost(let reason): return Advice("This phone's keychain lost the home's key. Start over and pair again.", .startOver, reason)
    case .Keystore(let reason, let userCancelled):
        return Advice(userCancelled ? "Cancelled." : "The phone's keychain refused.", .tryAgain, reason)
    case .Busy: return Advice("Another process of this app is at work.", .tryAgain)
    case .Invalid(let reason): return Advice(reason, .nothing)
    case .Stopped, .Background: return Advice("Stopped.", .tryAgain)
    case .Internal(let reason): return Advice("A defect in Privet. Please report it.", .nothing, reason)
    }
}

/// Who made what is shown, in one line. A screen never leaves it out.
public func explain(_ trust: Trust) -> String {
    switch trust {
    case .verified(let signer, _): "Signed by this camera (\(short(signer))), every byte checked."
    case .pending: "From this home; the camera's signature is checked when it is here."
    case .broken(let why): "Not shown: \(why)"
    }
}

public func explain(_ report: VerifyReport) -> String {
    guard report.ok else { return "Does not hold: \(report.problems.joined(separator: "; "))" }
    guard report.signerKnown else { return "Unchanged, but signed by a key that is not this home's (\(short(report.signer)))." }
    var text = "Signed by this camera (\(short(report.signer))): \(report.framesChecked) pictures checked"
    if report.firstSegment > 0 { text += "; it begins where this phone joined" }
    if !report.gaps.isEmpty { text += "; pictures are missing \(report.gaps.count) times meanwhile, and the hub says so" }
    if report.clockSetBack > 0 { text += "; the hub's clock was set back meanwhile" }
    return text + "."
}

public func explain(_ gap: GapReason) -> String {
    switch gap {
    case .slowViewer: "Pictures were left out: this phone was too slow."
    case .networkLoss: "Pictures were left out: the network was too slow."
    case .newStream: "Pictures were left out: the hub began another stream."
    case .cameraRestart: "The camera was away."
    case .failedVerification: "Pictures were left out: they were not this camera's."
    }
}

public func explain(_ link: LinkState) -> String {
    switch link {
    case .offline: "Offline"
    case .connecting: "Connecting"
    case .relay: "Connected"
    case .refused: "The relay does not let this phone in"
    }
}

/// As much of a fingerprint as a line has room for.
private func short(_ fingerprint: String) -> String { String(fingerprint.prefix(9)) }
