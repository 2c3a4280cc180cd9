import HomeCore
import Privet
import SwiftUI
import VisionKit

struct PairView: View {
    @State private var pairing: Pairing
    private let removed: Bool
    private let done: () -> Void

    init(home: any Home, removed: Bool, done: @escaping () -> Void) {
        _pairing = State(initialValue: Pairing(home))
        (self.removed, self.done) = (removed, done)
    }

    var body: some View {
        VStack(spacing: 16) {
            switch pairing.step {
            case .scan(let hint):
                if removed { Text("This phone was removed from its home. What it kept of it is gone.") }
                Text(hint ?? "Let the hub show a code (privet-hub pair), and point this phone at it.")
                if DataScannerViewController.isSupported { CodeScanner(seen: pairing.scanned) } else { Typed(seen: pairing.scanned) }
            case .confirm(let offer):
                Text("Join this home?").font(.title2)
                Text("Relay: \(offer.relay)")
                Text("Hub: \(offer.hubFingerprint)")
                Text("The code is good until \(clock(offer.expiresMs)).")
                Button("Join", action: join).buttonStyle(.borderedProminent)
                Button("Scan another", action: pairing.scanAgain)
            case .joining(let offer): ProgressView("Joining through \(offer.relay)")
            case .compare(let number):
                Text("Does the hub show the same number?").font(.title2)
                LazyVGrid(columns: Array(repeating: GridItem(), count: 4)) {
                    ForEach(Array(number.enumerated()), id: \.offset) { Text($0.element).monospacedDigit() }
                }
                Text("If not, somebody is in between: remove this phone at the hub.")
                Button("It does", action: done).buttonStyle(.borderedProminent)
            case .failed(let advice, _):
                if advice.then == .tryAgain {
                    ProblemView(advice: advice, button: "Try again", action: join)
                } else {
                    ProblemView(advice: advice, button: "Scan again", action: pairing.scanAgain)
                }
            }
        }
        .padding()
        .multilineTextAlignment(.center)
    }

    private func join() { Task { await pairing.join() } }
}

/// The system's own scanner.
private struct CodeScanner: UIViewControllerRepresentable {
    let seen: @MainActor (String) -> Void

    func makeCoordinator() -> Reader { Reader(seen) }

    func makeUIViewController(context: Context) -> DataScannerViewController {
        let scanner = DataScannerViewController(recognizedDataTypes: [.barcode(symbologies: [.qr])], isHighlightingEnabled: true)
        scanner.delegate = context.coordinator
        return scanner
    }

    func updateUIViewController(_ scanner: DataScannerViewController, context: Context) { try? scanner.startScanning() }

    static func dismantleUIViewController(_ scanner: DataScannerViewController, coordinator: Reader) { scanner.stopScanning() }

    final class Reader: DataScannerViewControllerDelegate {
        private let seen: @MainActor (String) -> Void
        init(_ seen: @escaping @MainActor (String) -> Void) { self.seen = seen }

        func dataScanner(_ scanner: DataScannerViewController, didAdd items: [RecognizedItem], allItems: [RecognizedItem]) {
            for case .barcode(let code) in items { if let text = code.payloadStringValue { seen(text) } }
        }
    }
}

/// Where there is no camera: in the simulator, say.
private struct Typed: View {
    let seen: (String) -> Void
    @State private var text = ""

    var body: some View {
        TextField("PRIVET1:…", text: $text, axis: .vertical).textFieldStyle(.roundedBorder).autocorrectionDisabled()
        Button("Read") { seen(text) }
    }
}
