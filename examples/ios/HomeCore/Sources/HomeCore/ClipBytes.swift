import Foundation

/// A clip as a player's loader reads it. Reads block until the bytes are fetched and verified, and throw a `CoreError` rather
/// than give any that are not.
public struct ClipBytes: Sendable {
    /// What is given at once: players ask for all of a clip, and want its first pictures soon.
    public static let piece = 256 * 1024
    private let recording: any Recording

    public init(_ recording: any Recording) { self.recording = recording }

    /// Gives `length` bytes from `position` on, or what there is until the end, piece by piece while `wanted`.
    public func read(from position: Int, length: Int, wanted: () -> Bool, give: (Data) -> Void) throws {
        var at = position
        let (sum, over) = position.addingReportingOverflow(length)
        let end = over ? Int.max : sum
        while at < end, wanted() {
            let data = try recording.readAt(at, max: min(Self.piece, end - at))
            if data.isEmpty { return }
            give(data)
            at += data.count
        }
    }
}
