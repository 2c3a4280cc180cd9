package app.privet.example.core

import app.privet.CoreException
import app.privet.GapReason
import app.privet.LinkState
import app.privet.Outage
import app.privet.OutageReason
import app.privet.Trust
import app.privet.VerifyReport
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class WordsTest {
    private val report = VerifyReport(
        ok = true, signer = "ab12 cd34 ef56", signerKnown = true, chain = emptyList(), segments = 2uL, firstSegment = 0uL,
        framesChecked = 50uL, gaps = emptyList(), clockSetBack = 0u, timeClaimMs = 0, timeEndMs = 0, problems = emptyList(),
    )

    @Test
    fun `trust names the signer, and never says more than is known`() {
        assertTrue("ab12 cd34" in explain(Trust.Verified("ab12 cd34 ef56", null)))
        assertTrue("Signed" !in explain(Trust.Pending))
        assertEquals("Not shown: a hash does not fit", explain(Trust.Broken("a hash does not fit")))
    }

    @Test
    fun `a report says what holds, what does not, and what is missing`() {
        assertEquals("Signed by this camera (ab12 cd34): 50 pictures checked.", explain(report))
        assertTrue("joined" in explain(report.copy(firstSegment = 1uL)))
        val gap = Outage(0, 90_000, OutageReason.CAMERA_LOST)
        assertTrue("missing 2 times" in explain(report.copy(gaps = listOf(gap, gap))))
        assertTrue("clock" in explain(report.copy(clockSetBack = 1u)))
        assertTrue("not this home's" in explain(report.copy(signerKnown = false)))
        assertEquals("Does not hold: a; b", explain(report.copy(ok = false, problems = listOf("a", "b"))))
    }

    @Test
    fun `reasons and states are each said in words of their own`() {
        assertEquals(GapReason.entries.size, GapReason.entries.map(::explain).toSet().size)
        assertEquals(LinkState.entries.size, LinkState.entries.map(::explain).toSet().size)
    }

    @Test
    fun `cancelling is no failure of the keystore`() {
        assertEquals("Cancelled.", advice(CoreException.Keystore("no finger", true)).text)
        assertEquals(Then.PAIR_ANEW, advice(CoreException.Revoked()).then)
    }
}
