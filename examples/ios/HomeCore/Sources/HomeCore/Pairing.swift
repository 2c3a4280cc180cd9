import Foundation
import Observation
import Privet

/// Where pairing is: scan, look at what was scanned, join, compare numbers with the hub.
public enum PairingStep: Equatable, Sendable {
    /// The viewfinder is open; the hint is about what it saw.
    case scan(hint: String?)
    case confirm(Offer)
    case joining(Offer)
    /// This phone is a member; the hub must show the same number, in groups of five digits.
    case compare([String])
    case failed(Advice, Offer?)
}

@MainActor @Observable
public final class Pairing {
    public private(set) var step = PairingStep.scan(hint: nil)
    private let home: any Home

    public init(_ home: any Home) { self.home = home }

    /// A code came before the camera. Codes of others stand on every parcel, so those are only a hint.
    public func scanned(_ text: String) {
        guard case .scan = step else { return }
        do {
            step = .confirm(try home.offer(text))
        } catch CoreError.Pairing(kind: .notPrivet, reason: _) {
            step = .scan(hint: advice(.notPrivet).text)
        } catch {
            step = .failed(advice(error), nil)
        }
    }

    /// Joins with the code at hand. The same code may be tried again: what got lost on the way costs nothing.
    public func join() async {
        let offer: Offer
        switch step {
        case .confirm(let known): offer = known
        case .failed(let advice, let known?) where advice.then == .tryAgain: offer = known
        default: return
        }
        step = .joining(offer)
        do {
            try await home.pair(offer)
            step = .compare(groups(try await home.safetyNumber()))
        } catch {
            step = .failed(advice(error), offer)
        }
    }

    public func scanAgain() { step = .scan(hint: nil) }

    private func groups(_ number: String) -> [String] {
        let digits = number.filter(\.isNumber)
        return stride(from: 0, to: digits.count, by: 5).map { String(digits.dropFirst($0).prefix(5)) }
    }
}
